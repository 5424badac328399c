// The box at the top of the queue: one link or many, with a few wishes.
import { button, field, h, icon, select } from "./dom.js";
import { readText } from "./lists.js";

export const QUALITIES = [
  ["", "As in the settings"],
  ["best", "Best"],
  ["1080", "1080p"],
  ["720", "720p"],
  ["480", "480p"],
  ["audio", "Sound only"],
];

export class AddBox {
  constructor(adder) {
    this.adder = adder;
    this.links = h("textarea", {
      id: "links",
      rows: 1,
      spellcheck: "false",
      autocapitalize: "off",
      autocomplete: "off",
      placeholder: "Paste links, one a line",
    });
    this.name = h("input", { type: "text", placeholder: "from the link" });
    this.folder = h("input", { type: "text", placeholder: "the downloads folder" });
    this.quality = select(QUALITIES, "");
    this.subtitles = h("input", { type: "text", spellcheck: "false", placeholder: "none; or: en, de" });
    this.first = h("input", { type: "checkbox" });
    this.links.addEventListener("input", () => this.#grow());
    this.links.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && this.links.rows === 1) this.#submit(event);
    });
    const submit = (event) => this.#submit(event);
    const attributes = { class: "add card", onsubmit: submit, "aria-label": "Add downloads" };
    this.element = h("form", attributes, this.#line(), this.#options());
  }

  #line() {
    const words = h("span", { class: "wide-only" }, "Download");
    const send = h("button", { class: "primary", "aria-label": "Download" }, icon("down"), words);
    const label = h("label", { for: "links", class: "hidden-text" }, "Links to download");
    return h("div", { class: "add-line" }, label, icon("link"), this.links, send);
  }

  #options() {
    const fields = [
      field("File name", this.name, "for a single link"),
      field("Folder", this.folder, "inside the downloads folder"),
      field("Video quality", this.quality, "for video pages"),
      field("Subtitles", this.subtitles, "for video pages; languages"),
      h("label", { class: "check" }, this.first, "Start before the others"),
    ];
    return h("details", { class: "options small" }, h("summary", {}, "Options"), h("div", { class: "fields" }, fields));
  }

  #grow() {
    this.links.rows = Math.min(8, Math.max(1, this.links.value.split("\n").length));
  }

  async #submit(event) {
    event.preventDefault();
    const wishes = {
      folder: this.folder.value.trim(),
      quality: this.quality.value,
      subtitles: this.subtitles.value.split(/[,\s]+/).filter(Boolean),
      next: this.first.checked,
    };
    const items = readText(this.links.value).map((item) => ({ ...set(wishes), ...item }));
    if (items.length === 1 && this.name.value.trim()) items[0].filename = this.name.value.trim();
    if (!(await this.adder.send(items))) return;
    this.links.value = this.name.value = "";
    this.#grow();
    this.links.focus();
  }
}

const set = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value && value.length !== 0));

/** A button that opens the file chooser for lists, for those who do not drag. */
export function listButton(adder) {
  const chooser = h("input", {
    type: "file",
    accept: ".txt,.list,.urls,.url,.desktop,.webloc,.json",
    multiple: true,
    hidden: true,
    "aria-label": "List files",
  });
  chooser.addEventListener("change", async () => {
    for (const file of chooser.files) await adder.sendFile(file);
    chooser.value = "";
  });
  return [chooser, button("Open a list…", () => chooser.click(), { glyph: "list" })];
}
