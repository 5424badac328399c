// One download as a row of the list: what it is, how far it is, why it failed, what can be done.
import { h, icon, iconButton, setAttribute, setText } from "../dom.js";
import { ago, duration, nameOf, origin, share, shortMoment, size } from "../format.js";
import { glyphOf, typeOf } from "../types.js";
import { LEAVING, SAY, STATES, TYPES, VERBS, VIA } from "../words.js";

const TAIL = 12; // letters at the end of a name that are never cut off: they tell episodes apart
const LONG = 20;
const NEEDS_LINK = new Set(["link_expired", "not_found", "forbidden", "needs_login"]);
const GLYPHS = {
  open: "open",
  folder: "folder",
  pause: "pause",
  resume: "play",
  cancel: "cross",
  retry: "again",
  again: "again",
  relink: "link",
  remove: "trash",
  move: "folder",
  trash: "trash",
  first: "up",
};

/** The verbs of a row, the most wanted first. */
export function verbsOf({ state, error, path }) {
  switch (state) {
    case "queued":
    case "active":
      return ["pause", "cancel"];
    case "paused":
      return ["resume", "cancel"];
    case "failed":
      return ["retry", ...(NEEDS_LINK.has(error?.code) ? ["relink"] : []), "remove"];
    case "cancelled":
      return ["again", "remove"];
    case "removed":
      return [];
    default:
      return path ? ["open", "folder", "remove"] : ["again", "remove"];
  }
}

export const glyphOfVerb = (verb) => GLYPHS[verb];

/** Writes a name into its two parts, of which only the first is cut off. */
export function writeName({ name: whole, head, tail }, name) {
  const cut = name.length > LONG ? name.length - TAIL : name.length;
  setText(head, name.slice(0, cut));
  setText(tail, name.slice(cut));
  whole.title = name;
}

/** A row element that is given one download after another. */
export class Row {
  #seen = [NaN]; // what it shows; most paintings of the list change few rows
  #verbs = "";
  #type = "";
  #preview = null;

  constructor({ act, undo, tick }) {
    Object.assign(this, { act, undo });
    this.box = h("input", { type: "checkbox", tabindex: "-1", onclick: (event) => tick(this.index, event) });
    this.glyph = h("span", { class: "type" });
    this.head = h("span", { class: "name-head" });
    this.tail = h("span", { class: "name-tail" });
    this.engine = h("span", { class: "tag engine", hidden: true });
    this.name = h("span", { class: "name" }, this.head, this.tail, this.engine);
    this.from = h("span", { class: "from muted small" });
    this.size = cell("size numbers");
    this.bar = h("progress", { max: 1 });
    this.words = h("span", { class: "words" });
    this.progress = cell("progress numbers", this.bar, this.words);
    this.left = cell("left numbers muted");
    this.added = cell("added numbers muted");
    this.actions = cell("actions");
    this.element = h(
      "div",
      { role: "row", class: "row" },
      cell("tick", this.box),
      cell("what", this.glyph, h("span", { class: "what-text" }, this.name, this.from)),
      this.size,
      this.progress,
      this.left,
      this.added,
      this.actions,
    );
  }

  /** Shows a download; null: one that is still being read. */
  show(index, download, { ticked, current, leaving, isInside = false, preview = null }) {
    const { element } = this;
    const seen = [index, download, ticked, current, leaving?.word, isInside, preview];
    if (this.#seen.every((each, place) => each === seen[place]) && download) return;
    this.#seen = seen;
    this.index = index;
    this.download = download;
    setAttribute(element, "aria-rowindex", String(index + 2));
    element.classList.toggle("current", current);
    element.classList.toggle("inside", isInside);
    setAttribute(element, "aria-level", isInside ? "2" : "1");
    setAttribute(element, "aria-selected", String(ticked));
    element.dataset.state = download?.state ?? "";
    element.classList.toggle("leaving", Boolean(leaving));
    this.box.checked = ticked;
    element.classList.toggle("unread", !download);
    this.box.hidden = !download;
    if (!download) return this.#blank();
    element.id = `row-${download.id}`;
    element.dataset.id = download.id;
    const name = nameOf(download);
    this.box.setAttribute("aria-label", SAY.tick(name));
    this.#showName(name, download, preview);
    setText(this.size, size(download.size ?? (download.received || null)));
    this.#showProgress(download, leaving);
    setText(this.added, shortMoment(download.created_at));
    this.#showVerbs(leaving ? ["undo"] : verbsOf(download), name, leaving);
  }

  /** Nothing to tick, nothing to read out: `list.css` draws where a name will be. */
  #blank() {
    this.element.removeAttribute("id");
    delete this.element.dataset.id;
    this.name.title = ""; // it would tell the name of what was here before
    this.box.removeAttribute("aria-label");
    for (const part of [this.head, this.tail, this.from, this.size, this.words, this.left, this.added, this.engine]) setText(part, "");
    this.engine.hidden = true;
    this.bar.hidden = true;
    this.glyph.replaceChildren();
    this.actions.replaceChildren();
    this.#verbs = this.#type = "";
  }

  #showName(name, download, preview) {
    writeName(this, name);
    const host = origin(download.url);
    setText(this.from, [host === name ? "" : host, VIA[download.via]].filter(Boolean).join(" · "));
    setText(this.engine, download.engine ? SAY.onEngine(download.engine) : "");
    this.engine.hidden = !download.engine;
    const type = typeOf(name);
    if (type === this.#type && preview === this.#preview) return;
    this.#type = type;
    this.#preview = preview;
    const glyph = icon(glyphOf(type));
    const picture = preview ? h("img", { src: preview, alt: "", onerror: () => picture.replaceWith(glyph) }) : glyph;
    this.glyph.replaceChildren(picture, h("span", { class: "hidden-text" }, TYPES[type]));
  }

  #showProgress(download, leaving) {
    const { state, received, size: whole, speed, error, warning } = download;
    const part = share(download);
    this.bar.hidden = leaving || !(state === "active" || (received && (state === "paused" || state === "queued")));
    if (!this.bar.hidden) {
      this.bar.setAttribute("aria-label", `${nameOf(download)}: ${STATES[state]}`);
      if (part !== null) this.bar.value = part;
      else this.bar.removeAttribute("value");
    }
    setText(this.words, leaving?.word ?? progressWords(download));
    this.words.title = error?.message ? `${error.message} ${error.action ?? ""}`.trim() : (warning ?? "");
    setText(this.left, state === "active" && speed && whole > received ? duration((whole - received) / speed) : "");
  }

  #showVerbs(verbs, name, leaving) {
    const key = `${verbs.join()} ${name}`;
    if (key === this.#verbs) return;
    this.#verbs = key;
    const made = verbs.map((verb) => {
      if (verb === "undo")
        return h("button", { type: "button", tabindex: "-1", class: "small", onclick: () => this.undo(this.download) }, SAY.undo);
      const made = iconButton(GLYPHS[verb], `${VERBS[verb]}: ${name}`, () => this.act(verb, this.download));
      made.tabIndex = -1; // the whole list is one stop of the Tab key; its panel has the same buttons
      return made;
    });
    this.actions.replaceChildren(...made);
  }
}

const cell = (kind, ...children) => h("div", { role: "gridcell", class: `cell ${kind}` }, ...children);

/** Where a download stands, in a few words. */
export function progressWords(download) {
  const { state, received, not_before: later, error, warning } = download;
  const part = share(download);
  const percent = part === null ? size(received || null) : SAY.percent(part);
  switch (state) {
    case "active":
      return percent || STATES.active;
    case "queued":
      if (later) return [SAY.nextTry(ago(later)), error?.message].filter(Boolean).join(": ");
      return received && percent ? SAY.waitingAt(percent) : STATES.queued;
    case "paused":
      return received && percent ? SAY.pausedAt(percent) : STATES.paused;
    case "failed":
      return error?.message ?? STATES.failed;
    case "completed":
      return warning ? `${STATES.completed}. ${warning}` : STATES.completed;
    case "removed":
      return LEAVING.remove;
    default:
      return STATES[state] ?? state;
  }
}
