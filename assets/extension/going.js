// What is going on: the last five downloads that this browser sent, live, with what can be done to each.
import { ask, h, icon, iconButton } from "./dom.js";
import { kindOf } from "./takeover.js";
import { duration, nameOf, size, t } from "./text.js";

const LIVE_MS = 700; // between two looks while something moves
const STILL_MS = 3000; // and while nothing does

const ICONS = { document: "file", program: "archive", other: "file" };
const MOVING = ["active", "queued"];

export class Going {
  #list;
  #part;
  #rows = new Map();
  #timer = 0;
  #again;

  /** `again(download)` asks for one once more. */
  constructor(part, list, again) {
    this.#part = part;
    this.#list = list;
    this.#again = again;
  }

  /** Looks now, and goes on looking. */
  async follow() {
    const { ok, downloads = [] } = await ask({ do: "downloads" });
    if (ok) this.#show(downloads);
    const moving = downloads.some(({ state }) => MOVING.includes(state));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.follow(), moving ? LIVE_MS : STILL_MS);
  }

  #show(downloads) {
    this.#part.hidden = !downloads.length;
    const before = this.#rows;
    this.#rows = new Map(downloads.map((each) => [each.id, before.get(each.id) ?? this.#row(each.id)]));
    for (const download of downloads) this.#rows.get(download.id).update(download);
    const rows = [...this.#rows.values()].map(({ element }) => element);
    // Moved only when it must be: a row that is replaced under the pointer loses its click.
    if (rows.some((row, n) => this.#list.children[n] !== row) || this.#list.children.length !== rows.length)
      this.#list.replaceChildren(...rows);
  }

  #row(id) {
    const kind = h("span", { class: "glyph" });
    const name = h("p", { class: "name cut" });
    const facts = h("p", { class: "muted small cut" });
    const bar = h("progress", { max: 1, "aria-label": t("progress") });
    const acts = h("span", { class: "acts" });
    const element = h("li", { class: "download" }, kind, h("div", { class: "grow" }, name, bar, facts), acts);
    element.dataset.id = id;
    let shown = "";
    return {
      element,
      update: (download) => {
        const { state, filename, url, size: whole, received } = download;
        name.textContent = filename || nameOf(url);
        name.title = name.textContent;
        facts.textContent = factsOf(download);
        facts.title = download.error?.message ?? "";
        bar.hidden = !["active", "paused", "queued"].includes(state);
        if (whole) bar.value = received / whole;
        else if (state === "active") bar.removeAttribute("value");
        else bar.value = 0;
        element.dataset.state = state;
        if (shown === state) return;
        shown = state;
        const found = kindOf({ filename: filename ?? "", url });
        kind.replaceChildren(icon(ICONS[found] ?? found));
        acts.replaceChildren(...this.#actsOf(download));
      },
    };
  }

  #actsOf(download) {
    const { id, state } = download;
    const steer = (verb) => async () => {
      await ask({ do: "steer", id, verb });
      await this.follow();
    };
    const open = (what) => () => openHere(id, what);
    const cancel = iconButton("cancel", t("cancel"), steer("cancel"));
    switch (state) {
      case "active":
      case "queued":
        return [iconButton("pause", t("pause"), steer("pause")), cancel];
      case "paused":
        return [iconButton("resume", t("resume"), steer("resume")), cancel];
      case "completed":
        return [
          iconButton("open", t("open"), open("file")),
          iconButton("folder", t("open_folder"), open("folder")),
          iconButton("retry", t("again"), () => this.#again(download)),
        ];
      default:
        return [iconButton("retry", t("retry"), steer("retry"))];
    }
  }
}

/** Opens a file or its folder on this computer; where the browser cannot start us for it, the dashboard can. */
export async function openHere(id, what = "file") {
  const said = await ask({ do: "open", id, what });
  if (!said?.ok) await ask({ do: "dashboard" });
}

/** One line about a download: how far, how fast, how long, or what is the matter. */
function factsOf({ state, received, size: whole, speed, error }) {
  switch (state) {
    case "active": {
      const share = whole ? `${Math.floor((100 * received) / whole)} %` : size(received);
      const left = whole && speed ? t("left", duration((whole - received) / speed)) : "";
      return [share, speed ? `${size(speed)}/s` : "", left].filter(Boolean).join(" · ") || t("connecting");
    }
    case "completed":
      return [t("saved"), size(whole ?? received)].filter(Boolean).join(" · ");
    case "failed":
      return error?.message ?? t("failed");
    case "queued":
      return error?.message ?? t("waiting");
    default:
      return [t(state), size(received)].filter(Boolean).join(" · ");
  }
}
