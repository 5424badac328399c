// The side of the page: what the list can be narrowed to, with how much there is of it, and what was asked together.
import { Aim } from "../aim.js";
import { button, h, icon, setText } from "../dom.js";
import { glyphOf } from "../types.js";
import { BATCH, FILTERS, SAY, TYPES, VIA } from "../words.js";

const GLYPHS = { all: "list", active: "down", waiting: "clock", needs: "alert", saved: "check" };
const FEW = 5; // lists shown before somebody asks for more

/** How many of a batch's entries are settled, and how many there are. */
export function doneOf({ counts }) {
  const sum = (...keys) => keys.reduce((all, key) => all + (counts[key] ?? 0), 0);
  const done = sum("completed", "duplicate", "failed", "rejected", "cancelled");
  return { done, total: done + sum("queued", "active", "paused"), failed: sum("failed", "rejected") };
}

export class Side {
  #links = new Map();
  #batches = new Map();
  #aim = new Aim();
  #since = Infinity; // when the first change of the batches came that is not shown yet
  #timer = 0;

  constructor(board, { filters, batches }) {
    Object.assign(this, { board });
    const states = Object.entries(FILTERS).map(([key, words]) => this.#link(key, GLYPHS[key], words));
    const types = Object.entries(TYPES).map(([key, words]) => this.#link(key, glyphOf(key), words));
    filters.replaceChildren(h("ul", {}, states), h("ul", { "aria-label": SAY.fileTypes }, types));
    this.list = h("ul", { "aria-label": SAY.lists });
    this.#aim.over(this.list);
    this.more = button(SAY.moreLists, () => this.#fold(), { kind: "quiet small" });
    this.isLong = false;
    batches.replaceChildren(h("h2", { class: "side-title" }, SAY.lists), this.list, this.more);
    this.place = batches;
    board.addEventListener("counts", () => this.#count());
    board.addEventListener("status", () => this.#count());
    board.addEventListener("batches", () => this.#renewBatches());
  }

  /** Marks what is shown. */
  mark(key) {
    for (const [each, { link }] of [...this.#links, ...this.#batches])
      if (each === key) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    this.current = key;
  }

  #link(key, glyph, words) {
    const number = h("span", { class: "number numbers" });
    // Scrolled out of sight, a link that began with its fragment would count as one that skips content.
    const link = h("a", { href: `./#${key}` }, icon(glyph), h("span", { class: "cut" }, words), number);
    const line = h("li", {}, link);
    this.#links.set(key, { link, number, line });
    return line;
  }

  #count() {
    const { states, types } = this.board.counts;
    const { active } = this.board;
    const all = Object.values(states).reduce((sum, number) => sum + number, 0);
    const numbers = {
      all,
      active: active.size,
      waiting: (states.queued ?? 0) + (states.paused ?? 0),
      needs: states.failed ?? 0,
      saved: states.completed ?? 0,
      ...types,
    };
    for (const [key, { link, number, line }] of this.#links) {
      setText(number, numbers[key] ? numbers[key].toLocaleString() : "");
      link.classList.toggle("needy", key === "needs" && Boolean(numbers.needs));
      line.hidden = key in TYPES && !numbers[key] && key !== this.current;
    }
  }

  #fold() {
    this.isLong = !this.isLong;
    this.#showBatches();
  }

  /** A click on one of them is meant for that one: they stay as they are while somebody aims. */
  #renewBatches() {
    this.#since = Math.min(this.#since, performance.now());
    clearTimeout(this.#timer);
    const wait = this.#aim.wait(this.#since);
    if (wait) this.#timer = setTimeout(() => this.#renewBatches(), wait);
    else this.#showBatches();
  }

  #showBatches() {
    this.#since = Infinity;
    // Syncs have their place among the images.
    const all = this.board.batches.filter(({ via }) => via !== "sync");
    const shown = this.isLong ? all : all.slice(0, FEW);
    const focused = [...this.#batches].find(([, { link }]) => link === document.activeElement)?.[0];
    this.#batches = new Map(shown.map((batch) => [batch.id, this.#batch(batch)]));
    this.list.replaceChildren(...[...this.#batches.values()].map(({ line }) => line));
    this.#batches.get(focused)?.link.focus({ preventScroll: true }); // made anew, it would lose the keys
    this.more.hidden = all.length <= FEW;
    setText(this.more, this.isLong ? SAY.fewerLists : SAY.moreLists);
    this.place.hidden = !all.length;
    this.mark(this.current);
  }

  #batch(batch) {
    const { done, total, failed } = doneOf(batch);
    const bar = h("progress", { max: total || 1, value: done, "aria-label": BATCH.done(done, total) });
    const number = h("span", { class: "number numbers" }, batch.finished_at ? total.toLocaleString() : BATCH.done(done, total));
    const link = h(
      "a",
      { href: `#${batch.id}`, title: [batch.title, VIA[batch.via]].filter(Boolean).join(", "), class: failed ? "needy" : "" },
      icon("batch"),
      h("span", { class: "cut" }, batch.title || batch.id),
      number,
      batch.finished_at ? null : bar,
    );
    return { link, line: h("li", {}, link) };
  }
}
