// The list itself: a table of any length of which only the rows in sight are in the page.
//
// Keys, while the table has the focus: arrows, Page Up/Down, Home, End move; Space ticks, with Shift from the last
// tick on; Ctrl+A ticks all; Enter shows details; Delete removes; Alt+arrows move a waiting download in the queue;
// Escape unticks, or closes the details. On the head of a batch, right and left open and close it, as does Space; left
// on a row of a batch goes to its head.
import { button, h, setAttribute } from "../dom.js";
import { COLUMNS, SAY } from "../words.js";
import { HeadRow } from "./head-row.js";
import { Row } from "./row.js";

const OVERSCAN = 6; // rows above and below what is in sight
// A box higher than this is drawn wrongly by some browsers: beyond it, a pixel of the scroll bar means more than one.
const HIGHEST = 8_000_000;
const EDGE = 40; // pixels at the edge in which a dragged row scrolls the list

/**
 * Shows a `Listing`. Tells `open` (a row is to be shown in detail), `sort`, `tick`, `leave`, and `verb` for keys that
 * do something with the chosen rows.
 */
export class Table extends EventTarget {
  #rows = new Map(); // index → Row or HeadRow
  #spare = { rows: [], heads: [] };
  #height = 36;
  #whole = -1; // the height of all rows, in pixels
  #frame = 0;
  #last = -1; // where the last tick was
  #isComing = false; // whether somebody went to a row that is still being read

  constructor(listing, acts, batchActs, previews, aim) {
    super();
    Object.assign(this, { listing, acts, batchActs, previews });
    this.ticked = new Map(); // id → download
    this.current = null; // the id of the row that keys act on
    this.index = 0;
    this.body = h("div", { role: "rowgroup", class: "rows" });
    this.line = h("div", { class: "drop-line", hidden: true });
    this.all = h("input", { type: "checkbox", "aria-label": SAY.tickAll, onclick: () => this.#tickAll(this.all.checked) });
    this.heads = new Map();
    this.element = h(
      "div",
      { role: "treegrid", class: "table", tabindex: "0", "aria-label": SAY.list, "aria-multiselectable": "true" },
      h("div", { role: "rowgroup", class: "heads" }, this.#head()),
      this.body,
    );
    this.body.append(this.line);
    aim.over(this.body);
    this.element.addEventListener("scroll", () => this.paint(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.element.addEventListener("focus", () => this.#mark());
    this.body.addEventListener("click", (event) => this.#onClick(event));
    this.body.addEventListener("dblclick", (event) => this.#onDoubleClick(event));
    this.body.addEventListener("pointerdown", (event) => this.#onPointer(event));
    new ResizeObserver(() => this.measure()).observe(this.element);
    listing.addEventListener("rows", () => this.paint());
    acts.addEventListener("leaving", () => this.paint());
    previews.addEventListener("ready", () => this.paint());
  }

  #head() {
    const names = [["name", "what"], ["size"], ["progress"], ["left"], ["added"]];
    const heads = names.map(([key, kind = key]) => {
      const sort = button(COLUMNS[key], () => this.#sort(key), { kind: "head" });
      const head = h("div", { role: "columnheader", class: `cell ${kind}` }, sort);
      this.heads.set(key, head);
      return head;
    });
    const last = h("div", { role: "columnheader", class: "cell actions" }, h("span", { class: "hidden-text" }, SAY.more));
    return h("div", { role: "row", class: "row head-row", "aria-rowindex": "1" }, h("div", { role: "columnheader", class: "cell tick" }, this.all), heads, last);
  }

  /** The rows have another height, or there is more or less room for them. */
  measure() {
    const styles = getComputedStyle(this.element);
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.#height = Math.round(parseFloat(styles.getPropertyValue("--row")) * rem) || 36;
    this.paint();
  }

  /** Begins with another list, at its top. */
  reset() {
    this.element.scrollTop = 0;
    this.index = 0;
    this.current = null;
    this.#isComing = false;
    this.#last = -1;
    this.untick();
    this.paint();
  }

  /** Many reasons to paint in one frame are one painting. */
  paint() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #paint() {
    // All that is measured comes first: measuring between changes would have the page laid out again and again.
    const { total } = this.listing;
    const room = this.element.clientHeight - this.#headHeight();
    if (!this.element.isConnected || room <= 0) return;
    const whole = total * this.#height;
    const top = this.#offset(whole, room);
    const shift = this.element.scrollTop - top;
    if (whole !== this.#whole) this.body.style.height = `${Math.min((this.#whole = whole), HIGHEST)}px`;
    const first = Math.max(0, Math.floor(top / this.#height) - OVERSCAN);
    const last = Math.min(total - 1, Math.ceil((top + room) / this.#height) + OVERSCAN);
    this.listing.see(first, Math.max(first, last));
    for (const [index, row] of this.#rows)
      if (index < first || index > last) {
        this.#rows.delete(index);
        this.#put(row);
      }
    // Where the scroll bar stands for more than it shows, rows are placed around what is in sight.
    for (let index = first; index <= last; index += 1) this.#place(index, index * this.#height + shift);
    for (const spare of Object.values(this.#spare)) {
      for (const row of spare.splice(40)) row.element.remove();
      for (const row of spare) row.element.hidden = true;
    }
    setAttribute(this.element, "aria-rowcount", String(total + 1));
    // Busy until every row in sight has been read; what is not known yet cannot be ticked.
    const isUnread = !this.listing.isRead || [...this.#rows.values()].some((row) => !row.download);
    setAttribute(this.element, "aria-busy", String(isUnread));
    this.all.disabled = !this.listing.isRead;
    if (this.#isComing && this.listing.at(this.index)) this.go(this.index);
    this.previews.want([...this.#rows.values()].map((row) => row.download).filter(Boolean));
    this.#mark();
    this.#showHead();
  }

  #put(row) {
    this.#spare[row instanceof HeadRow ? "heads" : "rows"].push(row);
  }

  #place(index, y) {
    const shown = this.listing.at(index);
    const isHead = shown?.isHead === true;
    let row = this.#rows.get(index);
    // A row that was read meanwhile may turn out to be a head, or no head any more.
    if (row && row instanceof HeadRow !== isHead) {
      this.#put(row);
      row = null;
    }
    if (!row) {
      row = this.#spare[isHead ? "heads" : "rows"].pop() ?? (isHead ? this.#newHead() : this.#newRow());
      row.element.hidden = false;
      this.#rows.set(index, row);
      if (!row.element.isConnected) this.body.append(row.element);
    }
    const id = shown?.id;
    if (row.y !== y) row.element.style.transform = `translateY(${(row.y = y)}px)`;
    const current = id !== undefined && id === this.current;
    if (isHead) return row.show(index, shown, { current });
    if (id && this.ticked.has(id)) this.ticked.set(id, shown);
    const isInside = this.listing.headOf(index) !== null;
    const state = { ticked: this.ticked.has(id), current, isInside, preview: this.previews.of(shown) };
    return row.show(index, shown, { ...state, leaving: id ? this.acts.leaving(id) : null });
  }

  #newHead() {
    return new HeadRow({
      act: (verb, batch) => this.#runBatch(verb, batch),
      fold: (head) => this.fold(head),
    });
  }

  #runBatch(verb, batch) {
    if (verb === "report") this.dispatchEvent(new CustomEvent("open", { detail: batch.id }));
    else this.batchActs[verb](batch);
  }

  /** Opens a batch's head, or closes it. */
  fold(head, isOpen = !head.shown) {
    this.current = head.id;
    this.index = head.at;
    if (isOpen !== head.shown > 0) this.listing.fold(head.id, isOpen);
    this.paint();
  }

  #newRow() {
    return new Row({
      act: (verb, download) => this.acts.run(verb, [download]),
      undo: (download) => this.acts.leaving(download.id)?.undo(),
      tick: (index, event) => this.#tick(index, event.shiftKey),
    });
  }

  #headHeight() {
    return this.element.firstChild.offsetHeight;
  }

  /** How far the list is scrolled, in pixels of a list that has no greatest height. */
  #offset(whole, room) {
    const { scrollTop } = this.element;
    return whole <= HIGHEST ? scrollTop : (scrollTop / (HIGHEST - room)) * (whole - room);
  }

  #scrollTo(index) {
    const room = this.element.clientHeight - this.#headHeight();
    const whole = this.listing.total * this.#height;
    const top = this.#offset(whole, room);
    const y = index * this.#height;
    const wanted = y < top ? y : y + this.#height > top + room ? y + this.#height - room : top;
    if (wanted === top) return;
    this.element.scrollTop = whole <= HIGHEST ? wanted : (wanted / (whole - room)) * (HIGHEST - room);
  }

  // Moving, and what keys do

  #mark() {
    const row = [...this.#rows.values()].find(({ download }) => download && download.id === this.current);
    if (row) setAttribute(this.element, "aria-activedescendant", row.element.id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  /** Makes a row the one that keys act on, and brings it into sight. */
  go(index) {
    this.index = Math.max(0, Math.min(index, this.listing.total - 1));
    this.current = this.listing.at(this.index)?.id ?? null;
    this.#isComing = !this.current;
    this.#scrollTo(this.index);
    this.paint();
    if (this.current) this.dispatchEvent(new Event("current"));
  }

  /** Brings the current row into sight, where it is near. */
  reveal() {
    const place = this.current ? this.listing.indexOf(this.current) : -1;
    if (place >= 0) this.#scrollTo(place);
  }

  #here() {
    const place = this.current ? this.listing.indexOf(this.current) : -1;
    return place >= 0 ? place : this.index;
  }

  #onKey(event) {
    if (event.target !== this.element) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.#height) - 2);
    const at = this.#here();
    const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
    const key = event.key;
    if (event.altKey && ["ArrowUp", "ArrowDown"].includes(key)) this.#verb(key === "ArrowUp" ? "up" : "down");
    else if (key in steps && !event.altKey && !event.ctrlKey && !event.metaKey)
      this.go(this.current || this.#isComing ? at + steps[key] : steps[key] > 1 ? Infinity : 0);
    else if (key === " " && this.listing.at(at)?.isHead) this.fold(this.listing.at(at));
    else if (key === " ") this.#tick(at, event.shiftKey);
    else if (["ArrowRight", "ArrowLeft"].includes(key) && this.#canFold(at)) this.#foldByKey(at, key === "ArrowRight");
    else if (key === "a" && (event.ctrlKey || event.metaKey)) this.#tickAll(true);
    else if (key === "Enter" && this.current) this.dispatchEvent(new CustomEvent("open", { detail: this.current }));
    else if (key === "Delete") this.#verb("remove");
    else if (key === "Escape" && this.ticked.size) this.untick();
    else if (key === "Escape") this.dispatchEvent(new Event("leave"));
    else return;
    event.preventDefault();
  }

  #canFold(at) {
    return Boolean(this.listing.at(at)?.isHead || this.listing.headOf(at));
  }

  #foldByKey(at, isRight) {
    const row = this.listing.at(at);
    if (row?.isHead) {
      if (isRight && row.shown) this.go(at + 1);
      else this.fold(row, isRight);
    } else if (!isRight) this.go(this.listing.headOf(at).at);
  }

  #verb(verb) {
    const download = this.listing.at(this.#here());
    const chosen = this.ticked.size ? [...this.ticked.values()] : download && !download.isHead ? [download] : [];
    if (chosen.length) this.dispatchEvent(new CustomEvent("verb", { detail: { verb, chosen } }));
  }

  #onClick(event) {
    const row = event.target.closest("[role=row]");
    if (!row || event.target.closest("button, input, a")) return;
    this.index = Number(row.getAttribute("aria-rowindex")) - 2;
    const head = row.dataset.batch ? this.listing.find(row.dataset.batch) : null;
    if (head) return this.fold(head);
    if (!row.dataset.id) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey) this.#tick(this.index, event.shiftKey);
    this.current = row.dataset.id;
    this.paint();
    this.dispatchEvent(new CustomEvent("open", { detail: this.current }));
  }

  #onDoubleClick(event) {
    const row = event.target.closest("[role=row]");
    const download = row?.dataset.id ? this.listing.find(row.dataset.id) : null;
    if (download?.state === "completed" && !event.target.closest("button, input")) this.acts.run("open", [download]);
  }

  // Ticks

  #tick(index, isRange) {
    const download = this.listing.at(index);
    if (!download || download.isHead) return;
    const on = !this.ticked.has(download.id);
    const [from, to] = isRange && this.#last >= 0 ? [Math.min(this.#last, index), Math.max(this.#last, index)] : [index, index];
    for (let each = from; each <= to; each += 1) {
      const one = this.listing.at(each);
      if (!one || one.isHead) continue;
      if (on || isRange) this.ticked.set(one.id, one);
      else this.ticked.delete(one.id);
    }
    this.#last = index;
    this.index = index;
    this.current = download.id;
    this.#tell();
  }

  async #tickAll(on) {
    this.ticked.clear();
    if (on) {
      const ids = await this.listing.ids();
      for (const id of ids) this.ticked.set(id, this.listing.find(id) ?? { id, url: "", state: "" });
    }
    this.#tell();
  }

  untick() {
    if (!this.ticked.size) return;
    this.ticked.clear();
    this.#tell();
  }

  /** What is gone from the agent cannot stay ticked. */
  forget(id) {
    if (this.ticked.delete(id)) this.#tell();
  }

  #tell() {
    this.paint();
    this.dispatchEvent(new Event("tick"));
  }

  // Columns

  #sort(key) {
    const { sort } = this.listing.wanted;
    this.dispatchEvent(new CustomEvent("sort", { detail: sort === key ? `-${key}` : sort === `-${key}` ? "queue" : key }));
  }

  #showHead() {
    const { sort } = this.listing.wanted;
    for (const [key, head] of this.heads) {
      const way = sort === key ? "ascending" : sort === `-${key}` ? "descending" : "none";
      setAttribute(head, "aria-sort", way);
    }
    const all = this.listing.count > 0 && this.ticked.size >= this.listing.count;
    this.all.checked = all;
    this.all.indeterminate = this.ticked.size > 0 && !all;
  }

  // Dragging a waiting download to another place of the queue

  get isQueue() {
    return this.listing.wanted.sort === "queue";
  }

  #onPointer(down) {
    const row = down.target.closest("[role=row]");
    const download = row?.dataset.id ? this.listing.find(row.dataset.id) : null;
    const grip = down.target.closest(".type");
    if (!grip || down.button || !this.isQueue || download?.state !== "queued") return;
    down.preventDefault();
    const moving = this.ticked.has(download.id) ? [...this.ticked.values()] : [download];
    const away = new AbortController();
    let target = -1;
    const on = (name, act) => addEventListener(name, act, { signal: away.signal });
    const end = () => {
      away.abort();
      this.line.hidden = true;
      this.element.classList.remove("dragging");
    };
    on("pointermove", (move) => {
      if (target < 0 && Math.abs(move.clientY - down.clientY) < 5) return;
      this.element.classList.add("dragging");
      target = this.#dropPlace(move.clientY);
    });
    on("pointerup", async () => {
      end();
      if (target >= 0) this.acts.before(moving, await this.#waitingFrom(target, moving));
    });
    on("pointercancel", end);
    on("keydown", (event) => event.key === "Escape" && end());
  }

  /** The place between rows under the pointer, shown as a line; the edges scroll. */
  #dropPlace(clientY) {
    const box = this.element.getBoundingClientRect();
    const top = box.top + this.#headHeight();
    if (clientY < top + EDGE) this.element.scrollTop -= this.#height / 2;
    else if (clientY > box.bottom - EDGE) this.element.scrollTop += this.#height / 2;
    const offset = this.#offset(this.listing.total * this.#height, this.element.clientHeight - this.#headHeight());
    const place = Math.max(0, Math.min(this.listing.total, Math.round((clientY - top + offset) / this.#height)));
    this.line.hidden = false;
    this.line.style.transform = `translateY(${place * this.#height + this.element.scrollTop - offset - 1}px)`;
    return place;
  }

  /** The first waiting download at or below a place that is not moved itself; null: there is none. */
  async #waitingFrom(place, moving) {
    const own = new Set(moving.map(({ id }) => id));
    for (let index = place; index < this.listing.total; index += 1) {
      const download = this.listing.at(index);
      if (download?.isHead) {
        const first = download.shown ? null : await this.listing.firstWaiting(download.id);
        if (first) return first;
        continue;
      }
      if (!download || !["active", "queued"].includes(download.state)) return null;
      if (download.state === "queued" && !own.has(download.id)) return download.id;
    }
    return null;
  }
}
