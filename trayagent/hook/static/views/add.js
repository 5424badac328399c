// The dialog that takes links: one or many, with a few wishes. Lines that are refused stay, with the reason.
import { button, field, h, select } from "../dom.js";
import { readText } from "../lists.js";
import { prefer, preferred } from "../preferences.js";
import { ADD, LOOK } from "../words.js";
import { PageLook } from "./page-look.js";

export const QUALITIES = [
  ["", "As in the settings"],
  ["best", "Best"],
  ["1080", "1080p"],
  ["720", "720p"],
  ["480", "480p"],
  ["audio", "Sound only"],
];
const LISTS = ".txt,.list,.urls,.url,.desktop,.webloc,.json";
const FOLDERS = "folders"; // the last used ones, the newest first
const MOST_FOLDERS = 8;

export class AddDialog {
  constructor(adder) {
    this.adder = adder;
    this.links = h("textarea", {
      id: "links",
      rows: 5,
      class: "mono small",
      spellcheck: "false",
      autocapitalize: "off",
      autocomplete: "off",
      placeholder: ADD.placeholder,
    });
    this.refused = h("div", { class: "refused", role: "alert", hidden: true });
    this.look = new PageLook();
    this.ask = button(LOOK.ask, () => this.#lookAtPage(), { kind: "quiet small", glyph: "search" });
    this.ask.hidden = true;
    this.links.addEventListener("input", () => this.#offerLook());
    this.#makeWishes();
    const chooser = this.#chooser();
    const form = h(
      "form",
      { class: "stack", onsubmit: (event) => this.#submit(event) },
      h("label", { for: "links" }, ADD.links),
      this.links,
      h("div", { class: "part-head" }, h("p", { class: "muted small" }, ADD.hint), this.ask),
      this.look.element,
      this.refused,
      this.#options(),
      h(
        "div",
        { class: "buttons" },
        chooser,
        button(ADD.openList, () => chooser.click(), { glyph: "list", kind: "quiet" }),
        h("span", { class: "grow" }),
        button("Cancel", () => this.element.close()),
        h("button", { class: "primary" }, ADD.send),
      ),
    );
    this.element = h(
      "dialog",
      { class: "card wide", "aria-labelledby": "add-title" },
      h("h2", { id: "add-title" }, ADD.title),
      form,
    );
    this.links.addEventListener("keydown", (event) => {
      const isOneLine = !this.links.value.includes("\n");
      if (event.key === "Enter" && !event.shiftKey && (isOneLine || event.ctrlKey || event.metaKey)) this.#submit(event);
    });
    adder.addEventListener("refused", ({ detail }) => this.#showRefused(detail));
    document.body.append(this.element);
  }

  /** Opens it, with links that were pasted somewhere. */
  open(text = "") {
    if (text) this.links.value = [this.links.value.trim(), text.trim()].filter(Boolean).join("\n");
    if (!this.element.open) this.element.showModal();
    this.links.focus();
    this.#offerLook();
  }

  /** A single address may be a page; of several nobody wants to be asked. */
  #offerLook() {
    const items = readText(this.links.value);
    const url = items.length === 1 && /^https?:/i.test(items[0].url) ? items[0].url : null;
    this.ask.hidden = !url || this.look.url === url;
    if (this.look.url !== url) this.look.clear();
    return url;
  }

  async #lookAtPage() {
    const url = this.#offerLook();
    if (!url) return;
    this.ask.disabled = true;
    this.ask.lastChild.textContent = LOOK.asking;
    const seen = await this.adder.look(url);
    this.ask.disabled = false;
    this.ask.lastChild.textContent = LOOK.ask;
    // The address may be another one by now.
    if (!seen || this.#offerLook() !== url) return;
    this.look.show(url, seen);
    this.ask.hidden = true;
  }

  #makeWishes() {
    this.name = h("input", { type: "text", placeholder: ADD.nameFrom });
    this.folder = h("input", { type: "text", placeholder: ADD.folderFrom, list: "last-folders" });
    this.folders = h("datalist", { id: "last-folders" });
    this.quality = select(QUALITIES, "");
    this.subtitles = h("input", { type: "text", spellcheck: "false", placeholder: ADD.subtitlesFrom });
    this.limit = h("input", { type: "text", spellcheck: "false" });
    this.first = h("input", { type: "checkbox" });
    this.paused = h("input", { type: "checkbox" });
    this.again = h("input", { type: "checkbox" });
    this.#showFolders();
  }

  #options() {
    const check = (control, words) => h("label", { class: "check" }, control, words);
    const fields = [
      field(ADD.name, this.name, ADD.nameHint),
      field(ADD.folder, this.folder, ADD.folderHint),
      field(ADD.quality, this.quality, ADD.qualityHint),
      field(ADD.subtitles, this.subtitles, ADD.subtitlesHint),
      field(ADD.limit, this.limit, ADD.limitHint),
      h("div", { class: "stack" }, check(this.first, ADD.first), check(this.paused, ADD.pausedFirst), check(this.again, ADD.again)),
    ];
    return h("details", { class: "options small" }, h("summary", {}, ADD.options), h("div", { class: "fields" }, fields), this.folders);
  }

  #chooser() {
    const chooser = h("input", { type: "file", accept: LISTS, multiple: true, hidden: true, "aria-label": ADD.listFiles });
    chooser.addEventListener("change", async () => {
      const files = [...chooser.files];
      chooser.value = "";
      this.element.close();
      for (const file of files) await this.adder.sendFile(file);
    });
    return chooser;
  }

  async #submit(event) {
    event.preventDefault();
    const wishes = {
      folder: this.folder.value.trim(),
      quality: this.quality.value,
      subtitles: this.subtitles.value.split(/[,\s]+/).filter(Boolean),
      speed_limit: this.limit.value.trim(),
      next: this.first.checked,
      paused: this.paused.checked,
      again: this.again.checked,
    };
    const asked = readText(this.links.value);
    const chosen = (asked.length === 1 && this.look.items(asked[0].url)) || asked;
    const items = chosen.map((item) => ({ ...set(wishes), ...item }));
    if (items.length === 1 && this.name.value.trim()) items[0].filename = this.name.value.trim();
    this.#forgetRefused();
    const refused = await this.adder.send(items);
    if (!refused) return;
    if (wishes.folder) this.#keepFolder(wishes.folder);
    this.name.value = "";
    if (refused.length) return; // they are in the box, with their reasons
    this.links.value = "";
    this.look.clear();
    this.element.close();
  }

  #showRefused(refused) {
    this.links.value = refused.map(({ line }) => line).join("\n");
    this.refused.hidden = false;
    this.refused.replaceChildren(
      h("p", {}, ADD.refused(refused.length)),
      h("ul", { class: "small" }, refused.slice(0, 100).map(({ line, why }) => h("li", {}, h("span", { class: "mono" }, line), ` ${why}`))),
    );
    this.open();
    this.refused.scrollIntoView({ block: "nearest" });
  }

  #forgetRefused() {
    this.refused.hidden = true;
    this.refused.replaceChildren();
  }

  #keepFolder(folder) {
    const others = preferred(FOLDERS, []).filter((each) => each !== folder);
    prefer(FOLDERS, [folder, ...others].slice(0, MOST_FOLDERS));
    this.#showFolders();
  }

  #showFolders() {
    this.folders.replaceChildren(...preferred(FOLDERS, []).map((value) => h("option", { value })));
  }
}

const set = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value && value.length !== 0));
