// What is on this page: tabs for kinds, a filter, and everything to send, one by one or all.
import { h, icon, iconButton } from "./dom.js";
import { askSizes, foundIn, TABS } from "./found.js";
import { nameOf, size, t } from "./text.js";

const MOST_SHOWN = 300; // lines at a time; the filter finds the others

/** What trayagent is told that a found thing is. */
const KINDS = { video: "video", audio: "audio", image: "image", stream: "page", page: "page" };

export class Here {
  #found = [];
  #chosen = new Set();
  #tab = "all";
  #lines = new Map();
  #sent = new Map();
  #parts;
  #send;

  /** `parts` are the elements of the popup; `send([{url, kind}])` sends what was chosen. */
  constructor(parts, send) {
    this.#parts = parts;
    this.#send = send;
    parts.filter.addEventListener("input", () => this.#show());
    parts.all.addEventListener("change", () => this.#chooseAll(parts.all.checked));
    parts.send.addEventListener("click", () => this.#sendUrls([...this.#chosen]));
  }

  /** Looks at the tab, and then for sizes that are not known. */
  async look(tab) {
    this.#found = await foundIn(tab);
    const files = this.#found.filter(({ kind }) => TABS.all.includes(kind));
    if (!files.length && this.#found.length) this.#tab = "link";
    if (files.length === 1) this.#chosen.add(files[0].url);
    this.#parts.part.hidden = !this.#found.length;
    this.#parts.nothing.hidden = this.#found.length > 0;
    this.#show();
    await askSizes(tab, this.#found, (url, bytes) => {
      const each = this.#found.find((one) => one.url === url);
      each.size = bytes;
      this.#lines.get(url)?.querySelector(".size")?.replaceChildren(size(bytes));
    });
    performance.mark("sizes");
  }

  /** Says beside a line what became of it. */
  mark(urls, word) {
    for (const url of urls) {
      this.#sent.set(url, word);
      this.#chosen.delete(url);
    }
    this.#show();
  }

  #inTab = ({ kind }) => TABS[this.#tab].includes(kind);

  #matches = ({ url, name }) => {
    const words = this.#parts.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = `${name} ${url}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };

  #visible() {
    return this.#found.filter((each) => this.#inTab(each) && this.#matches(each));
  }

  #show() {
    const visible = this.#visible();
    this.#showTabs();
    this.#lines = new Map(visible.slice(0, MOST_SHOWN).map((each) => [each.url, this.#line(each)]));
    const more = visible.length - MOST_SHOWN;
    this.#parts.list.replaceChildren(
      ...this.#lines.values(),
      ...(more > 0 ? [h("li", { class: "muted small more" }, t("more_lines", more))] : []),
      ...(visible.length ? [] : [h("li", { class: "muted small more" }, t("no_match"))]),
    );
    this.#count();
  }

  #showTabs() {
    const countOf = (name) => this.#found.filter(({ kind }) => TABS[name].includes(kind)).length;
    const tabs = Object.keys(TABS).map((name) => [name, countOf(name)]);
    const focused = this.#parts.tabs.contains(document.activeElement);
    this.#parts.tabs.replaceChildren(
      ...tabs
        .filter(([, count]) => count)
        .map(([name, count]) =>
          h(
            "button",
            {
              type: "button",
              class: "tab",
              "aria-pressed": String(name === this.#tab),
              onclick: () => {
                this.#tab = name;
                this.#show();
              },
            },
            t(`tab_${name}`),
            h("span", { class: "count" }, String(count)),
          ),
        ),
    );
    if (focused) this.#parts.tabs.querySelector('[aria-pressed="true"]')?.focus();
  }

  #line({ url, kind, name, size: bytes, thumb }) {
    const { host } = new URL(url);
    const box = h("input", { type: "checkbox", value: url, checked: this.#chosen.has(url) });
    box.addEventListener("change", () => {
      if (box.checked) this.#chosen.add(url);
      else this.#chosen.delete(url);
      this.#count();
    });
    const sight = thumb ? h("img", { class: "thumb", src: thumb, alt: "" }) : h("span", { class: "glyph" }, icon(kind));
    const file = nameOf(url);
    const label = h(
      "label",
      { title: url },
      box,
      sight,
      h(
        "span",
        { class: "grow" },
        h("span", { class: "name cut" }, kind === "link" ? name || file : file),
        h("span", { class: "muted small cut" }, kind !== "link" && name && name !== file ? `${name} · ${host}` : host),
      ),
      h("span", { class: "muted small size" }, size(bytes)),
    );
    const word = this.#sent.get(url);
    const end = word
      ? h("span", { class: "tag" }, word)
      : iconButton("send", t("send_this", file), () => this.#sendUrls([url]));
    return h("li", {}, label, end);
  }

  #chooseAll(yes) {
    for (const { url } of this.#visible()) {
      if (yes) this.#chosen.add(url);
      else this.#chosen.delete(url);
    }
    this.#show();
  }

  #count() {
    const visible = this.#visible();
    const number = this.#chosen.size;
    const { send, all } = this.#parts;
    send.disabled = !number;
    send.textContent = number > 1 ? t("send_number", number) : t("send_selected");
    send.classList.toggle("primary", number > 0);
    all.checked = visible.length > 0 && visible.every(({ url }) => this.#chosen.has(url));
    all.indeterminate = !all.checked && number > 0;
  }

  #sendUrls(urls) {
    const byUrl = new Map(this.#found.map((each) => [each.url, each]));
    return this.#send(urls.map((url) => ({ url, kind: KINDS[byUrl.get(url).kind] ?? "auto" })));
  }
}
