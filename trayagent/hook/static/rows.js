// One download as a line of the page: what it is, how far it is, why it failed, what can be done.
import { h, icon, iconButton, setText } from "./dom.js";
import { ago, duration, lastPart, moment, origin, size } from "./format.js";

const GLYPHS = {
  queued: "clock",
  active: "down",
  paused: "pause",
  completed: "check",
  failed: "alert",
  cancelled: "cross",
};
const WORDS = {
  queued: "Waiting",
  active: "Downloading",
  paused: "Paused",
  completed: "Saved",
  failed: "Failed",
  cancelled: "Cancelled",
};
const NEEDS_LINK = new Set(["link_expired", "not_found", "forbidden", "needs_login"]);

const nameOf = (download) => download.filename || lastPart(download.url);

/** A list item that follows its download; `act(verb, download)` carries out its buttons. */
export class Row {
  #act;
  #buttons = "";

  constructor(download, act) {
    this.#act = act;
    this.glyph = h("span", { class: "glyph" });
    this.name = h("h3", { class: "name" });
    this.facts = h("p", { class: "facts muted small numbers" });
    this.bar = h("progress", { max: 1 });
    this.trouble = h("p", { class: "trouble small" });
    this.actions = h("div", { class: "actions" });
    this.details = h("dl", { class: "small", hidden: true });
    this.opener = iconButton("more", "Details", () => this.#toggleDetails());
    this.opener.setAttribute("aria-expanded", "false");
    const body = h("div", { class: "body" }, this.name, this.bar, this.facts, this.trouble, this.details);
    this.element = h("li", { class: "download" }, this.glyph, body, this.actions);
    this.update(download);
  }

  update(download) {
    const before = this.download;
    this.download = download;
    if (before?.state !== download.state) {
      this.element.dataset.state = download.state;
      this.glyph.replaceChildren(
        icon(GLYPHS[download.state] ?? "file"),
        h("span", { class: "hidden-text" }, WORDS[download.state] ?? download.state),
      );
    }
    setText(this.name, nameOf(download));
    setText(this.facts, facts(download).join(" · "));
    this.#showBar(download);
    const trouble = troubles(download);
    setText(this.trouble, trouble);
    this.trouble.hidden = !trouble;
    this.#showButtons(download);
  }

  #showBar({ state, received, size }) {
    this.bar.hidden = !["active", "paused"].includes(state);
    if (this.bar.hidden) return;
    this.bar.setAttribute("aria-label", `Progress of ${nameOf(this.download)}`);
    if (size) this.bar.value = Math.min(1, received / size);
    else if (state === "active") this.bar.removeAttribute("value");
    else this.bar.value = 0;
  }

  #showButtons(download) {
    const wanted = verbs(download);
    const key = wanted.map(([verb]) => verb).join();
    if (key === this.#buttons) return;
    this.#buttons = key;
    const made = wanted.map(([verb, glyph, words, kind]) => {
      const act = () => this.#act(verb, this.download);
      const label = `${words}: ${nameOf(download)}`;
      return kind === "words" ? wordedButton(glyph, words, label, act) : iconButton(glyph, label, act);
    });
    this.opener.setAttribute("aria-label", `Details: ${nameOf(download)}`);
    this.actions.replaceChildren(...made, this.opener);
  }

  /** Brings it into sight, with all that is known of it. */
  open() {
    if (this.details.hidden) this.#toggleDetails();
    this.element.scrollIntoView({ block: "center" });
    this.opener.focus({ preventScroll: true });
  }

  #toggleDetails() {
    const lines = details(this.download).filter(([, value]) => value);
    this.details.replaceChildren(
      ...lines.flatMap(([term, value]) => [h("dt", {}, term), h("dd", { class: "mono" }, value)]),
    );
    this.details.hidden = !this.details.hidden;
    this.opener.setAttribute("aria-expanded", String(!this.details.hidden));
  }
}

function wordedButton(glyph, words, label, act) {
  return h(
    "button",
    { type: "button", "aria-label": label, onclick: act },
    icon(glyph),
    h("span", { class: "wide-only" }, words),
  );
}

/** The short facts under a name, by state. */
export function facts(download) {
  const { state, received, size: whole, speed, finished_at: finished } = download;
  const said = [];
  if (state === "active") {
    said.push(whole ? `${size(received)} of ${size(whole)}` : size(received));
    if (speed) said.push(`${size(speed)}/s`);
    if (speed && whole > received) said.push(`${duration((whole - received) / speed)} left`);
  } else if (state === "completed") said.push(size(whole ?? received), ago(finished));
  else if (state === "queued" && download.not_before) said.push(`Next try ${ago(download.not_before)}`);
  else if (state === "queued") said.push("Waiting");
  else said.push(WORDS[state], received ? `${size(received)}${whole ? ` of ${size(whole)}` : ""} kept` : "");
  if (state !== "cancelled" && finished && state !== "completed") said.push(ago(finished));
  if (nameOf(download) !== origin(download.url)) said.push(origin(download.url));
  return said.filter(Boolean);
}

function troubles({ state, error, warning }) {
  if (error && ["failed", "queued", "paused"].includes(state))
    return `${error.message} ${state === "failed" ? error.action : ""}`.trim();
  return state === "completed" ? (warning ?? "") : "";
}

/** What can be done: `[verb, icon, words, "words" if they are shown]`. */
function verbs({ state, error, path }) {
  const remove = ["remove", "trash", "Remove from the list"];
  switch (state) {
    case "queued":
    case "active":
      return [
        ["pause", "pause", "Pause"],
        ["cancel", "cross", "Cancel"],
      ];
    case "paused":
      return [
        ["resume", "play", "Resume"],
        ["cancel", "cross", "Cancel"],
      ];
    case "failed":
      return [
        ["retry", "again", "Retry", "words"],
        ...(NEEDS_LINK.has(error?.code) ? [["relink", "link", "Give a fresh link"]] : []),
        remove,
      ];
    case "cancelled":
      return [["retry", "again", "Download again"], remove];
    default:
      return [...(path ? [["copy", "copy", "Copy where it is"]] : []), remove];
  }
}

function details(download) {
  return [
    ["Address", download.url],
    ["File", download.path],
    ["Size", size(download.size)],
    ["Attempts", download.attempts ? String(download.attempts) : ""],
    ["Asked", `${moment(download.created_at)} (${download.via}${download.source ? `, ${download.source}` : ""})`],
    ["Finished", moment(download.finished_at)],
    ["Reason", download.error ? `${download.error.code}: ${download.error.message}` : ""],
    ["SHA-256", download.sha256],
    ["List", download.batch],
    ["Id", download.id],
  ];
}

/** Keeps a list of rows equal to a list of downloads, touching only what changed. */
export class Rows {
  #rows = new Map();
  #act;

  constructor(act, label) {
    this.#act = act;
    this.element = h("ul", { class: "downloads card", "aria-label": label });
  }

  show(downloads) {
    const wanted = new Set(downloads.map(({ id }) => id));
    for (const [id, row] of this.#rows)
      if (!wanted.has(id)) {
        row.element.remove();
        this.#rows.delete(id);
      }
    downloads.forEach((download, place) => {
      let row = this.#rows.get(download.id);
      if (!row) this.#rows.set(download.id, (row = new Row(download, this.#act)));
      else if (row.download !== download) row.update(download);
      if (this.element.children[place] !== row.element)
        this.element.insertBefore(row.element, this.element.children[place] ?? null);
    });
    this.element.hidden = !downloads.length;
  }

  /** Marks one row, opens it and brings it into sight. */
  open(wanted) {
    for (const [id, row] of this.#rows) row.element.classList.toggle("asked", id === wanted);
    this.#rows.get(wanted)?.open();
  }
}
