// The one list of downloads, with what narrows it, what is done with ticked rows, and the panel of one of them.
import { canDo } from "../acts.js";
import { Aim } from "../aim.js";
import { BatchActs } from "../batch-acts.js";
import { button, h, iconButton, setText } from "../dom.js";
import { Listing } from "../listing.js";
import { Menu } from "../menu.js";
import { Previews } from "../previews.js";
import { prefer, preferred } from "../preferences.js";
import { Sheet } from "../sheet.js";
import { COLUMNS, FILTERS, SAY, TYPES, VERBS } from "../words.js";
import { BatchHead } from "./batch.js";
import { Detail } from "./detail.js";
import { Table } from "./table.js";
import { Verify } from "./verify.js";

const STATES = {
  active: "active",
  waiting: "queued,paused",
  needs: "failed",
  saved: "completed",
};
const OLD_NAMES = { queue: "all", lists: "all", history: "saved" };
const ROWS = "rows"; // compact or roomy
const TOGETHER = "together"; // whether each batch is one row that folds open
const FOLDING = new Set(["all", "saved"]); // elsewhere every row tells something that somebody looks for
const TYPING = 200; // milliseconds after the last letter before it is searched
const TICKED = { pause: "pause", resume: "play", retry: "again", first: "up", cancel: "cross" }; // verb → its icon
// Newest first where the past is shown; otherwise as it will run.
const SORT_OF = { saved: "-added", needs: "-added" };

/** The list that a fragment names: `all`, `video`, `b12`; `d42` is one download among all. Null: none of ours. */
export function listOf(fragment) {
  const name = OLD_NAMES[fragment] ?? fragment;
  if (Object.hasOwn(FILTERS, name) || Object.hasOwn(TYPES, name) || /^b\d+$/.test(name)) return { name, id: null };
  return /^d\d+$/.test(name) ? { name: "all", id: name } : null;
}

export class ListView {
  title = SAY.list;
  #typing = 0;
  #seen = null; // the newest failure that somebody has looked at
  #asked = 0;

  constructor({ api, board, messages, acts, side, search, addDialog }) {
    Object.assign(this, { api, board, messages, acts, side, search, addDialog });
    const aim = new Aim();
    this.listing = new Listing(api, aim);
    const batchActs = new BatchActs(api, messages);
    this.table = new Table(this.listing, acts, batchActs, new Previews(api), aim);
    this.detail = new Detail({ api, board, acts, messages });
    this.batch = new BatchHead({ api, board, messages, batchActs });
    this.batchPanel = new BatchHead({ api, board, messages, batchActs }, { isPanel: true });
    this.sheet = new Sheet([this.detail, this.batchPanel]);
    this.verify = new Verify({ api, board, messages });
    this.name = "";
    this.empty = h("div", { class: "empty", hidden: true });
    this.heading = h("h1", { class: "cut" });
    this.bar = this.#bar();
    this.element = h(
      "div",
      { class: "list-view" },
      h("div", { class: "list-head" }, this.heading, this.#tools()),
      this.batch.element,
      this.verify.element,
      h("div", { class: "list-body" }, this.table.element, this.empty),
      this.bar,
      this.detail.element,
      this.batchPanel.element,
    );
    this.#showRows();
    this.#listen();
  }

  #listen() {
    const { board, table, listing, detail, acts, search } = this;
    board.addEventListener("moved", () => {
      for (const download of board.active.values()) listing.put(download);
    });
    board.addEventListener("changed", ({ detail: changed }) => {
      for (const download of changed)
        if (download.removed) this.#showRemoved(download.id);
        else if (download.id) listing.put(download);
      if (this.element.isConnected) listing.renew();
    });
    listing.addEventListener("rows", () => {
      this.#showEmpty();
      this.#noteSeen();
      if (this.table.ticked.size) this.#showBar(); // what is ticked may be in another state now
    });
    table.addEventListener("open", ({ detail: id }) => this.#open(id));
    table.addEventListener("current", () => this.#isPanelOpen() && this.#open(table.current));
    table.addEventListener("sort", ({ detail: sort }) => this.#choose(this.name, sort));
    table.addEventListener("leave", () => this.#closePanels());
    table.addEventListener("tick", () => this.#showBar());
    table.addEventListener("verb", ({ detail: { verb, chosen } }) => acts.run(verb, chosen));
    this.batch.addEventListener("title", () => setText(this.heading, this.batch.batch.title || this.name));
    for (const panel of [detail, this.batchPanel])
      panel.addEventListener("close", () => {
        // What somebody types elsewhere meanwhile goes on there: a panel also closes when its download is removed.
        const focused = document.activeElement;
        const isHere = focused === document.body || panel.element.contains(focused);
        this.#closePanels();
        if (isHere) table.element.focus();
      });
    search.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#search(), TYPING);
    });
    addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target.closest("input, textarea, select") || !this.element.isConnected) return;
      event.preventDefault();
      search.focus();
    });
  }

  /** Its row may keep its place for a moment; nothing can be done with it any more. */
  #showRemoved(id) {
    this.table.forget(id);
    const row = this.listing.find(id);
    if (row) this.listing.put({ ...row, state: "removed" });
  }

  #isPanelOpen() {
    return !this.detail.element.hidden || !this.batchPanel.element.hidden;
  }

  #closePanels() {
    this.detail.close();
    this.batchPanel.show(null);
    this.sheet.update();
  }

  /** Another view comes: nothing of it may be out of reach. */
  hide() {
    this.#closePanels();
  }

  #tools() {
    const sorts = () => [
      [SAY.order, () => this.#choose(this.name, "queue"), { chosen: this.#sort() === "queue" }],
      ...Object.entries(COLUMNS).map(([key, words]) => [
        words,
        () => this.#choose(this.name, this.#sort() === key ? `-${key}` : key),
        { chosen: this.#sort().replace("-", "") === key },
      ]),
    ];
    const more = () => [
      [SAY.compact, () => this.#setRows("compact"), { chosen: this.table.element.dataset.rows === "compact" }],
      [SAY.roomy, () => this.#setRows("roomy"), { chosen: this.table.element.dataset.rows === "roomy" }],
      [SAY.together, () => this.#setTogether(!preferred(TOGETHER, true)), { chosen: preferred(TOGETHER, true) }],
      [SAY.checkFiles, () => this.verify.start()],
      [SAY.clear, () => this.#clear()],
    ];
    const sort = new Menu(SAY.sortBy, "sort", sorts);
    return h("div", { class: "buttons" }, sort.element, new Menu(SAY.more, "", more).element);
  }

  #sort() {
    return this.listing.wanted.sort;
  }

  /** Shows a list; with an id, that download in its panel. */
  async show(id = null, name = "all") {
    this.verify.show();
    if (name !== this.name) {
      if (this.search.value && name !== "all") this.search.value = "";
      await this.#choose(name, SORT_OF[name] ?? "queue");
    } else {
      this.side.mark(name); // another view was shown meanwhile
      this.listing.renew(0);
    }
    if (id) await this.#openAt(id);
    else if (this.#isPanelOpen()) this.#closePanels();
    this.table.measure();
  }

  async #choose(name, sort) {
    this.name = name;
    const isBatch = /^b\d+$/.test(name);
    setText(this.heading, isBatch ? "" : this.search.value ? SAY.found : (FILTERS[name] ?? TYPES[name]));
    this.side.mark(name);
    this.batch.show(isBatch ? name : null);
    this.table.reset();
    await this.messages.trying(() =>
      this.listing.choose({
        state: STATES[name],
        type: name in TYPES ? name : undefined,
        batch: isBatch ? name : undefined,
        q: this.search.value.trim(),
        sort,
        folded: FOLDING.has(name) && !this.search.value.trim() && preferred(TOGETHER, true) ? "true" : undefined,
      }),
    );
  }

  /** Looks for words over everything, whatever the list was narrowed to. */
  async #search() {
    const turn = ++this.#asked;
    if (this.name !== "all" || !this.element.isConnected) {
      history.replaceState(null, "", "#all");
      dispatchEvent(new HashChangeEvent("hashchange"));
    }
    if (turn === this.#asked) await this.#choose("all", this.#sort() ?? "queue");
  }

  async #open(id) {
    if (!id) return;
    this.table.current = id;
    this.table.paint();
    const isBatch = id.startsWith("b");
    if (isBatch) this.detail.close();
    this.batchPanel.show(isBatch ? id : null);
    if (!isBatch) await this.detail.open(id);
    this.sheet.update();
    this.table.reveal(); // the panel may have come to lie over its row
  }

  /** Opens a download that a link leads to, and brings its row into sight where that is near. */
  async #openAt(id) {
    const download = await this.detail.open(id);
    if (!download) return;
    this.sheet.update();
    const index = this.listing.indexOf(id);
    if (index >= 0) this.table.go(index);
    this.table.current = id;
    this.detail.name.setAttribute("tabindex", "-1");
    this.detail.name.focus({ preventScroll: true });
  }

  #bar() {
    this.count = h("span", { class: "numbers" });
    this.verbs = new Map(
      Object.entries(TICKED).map(([verb, glyph]) => [verb, button(VERBS[verb], () => this.#runTicked(verb), { glyph })]),
    );
    const more = new Menu(SAY.more, "", () =>
      this.#possible(["last", "copyLink", "remove", "trash"]).map((verb) => [
        VERBS[verb],
        () => this.#runTicked(verb),
        { kind: verb === "trash" ? "quiet danger" : "quiet" },
      ]),
    );
    return h(
      "div",
      { class: "tick-bar", hidden: true, role: "toolbar", "aria-label": SAY.ticked("") },
      this.count,
      ...this.verbs.values(),
      more.element,
      h("span", { class: "grow" }),
      iconButton("cross", SAY.untick, () => this.table.untick()),
    );
  }

  /** Those of the verbs that do something to one ticked row at least, in their order. */
  #possible(verbs) {
    const found = new Set();
    for (const download of this.#ticked()) {
      if (found.size === verbs.length) break; // of a million ticked rows few are looked at
      for (const verb of verbs) if (canDo(verb, download)) found.add(verb);
    }
    return verbs.filter((verb) => found.has(verb));
  }

  /** What is ticked, as far as it is in memory in its newest state. */
  *#ticked() {
    for (const [id, known] of this.table.ticked) yield this.listing.find(id) ?? known;
  }

  async #runTicked(verb) {
    const chosen = [...this.#ticked()].filter((download) => canDo(verb, download));
    await this.acts.run(verb, chosen);
    if (verb !== "copyLink") this.table.untick();
  }

  #showBar() {
    const number = this.table.ticked.size;
    this.bar.hidden = !number;
    const possible = this.#possible([...this.verbs.keys()]);
    for (const [verb, made] of this.verbs) made.hidden = !possible.includes(verb);
    setText(this.count, SAY.ticked(number.toLocaleString()));
  }

  #showEmpty() {
    const { total, isRead, wanted } = this.listing;
    this.empty.hidden = total > 0 || !isRead;
    this.table.element.classList.toggle("bare", !this.empty.hidden);
    if (this.empty.hidden) return;
    const isFirst = this.name === "all" && !wanted.q;
    const key = isFirst ? "first" : wanted.q ? SAY.noneFound : SAY.noneOfKind;
    if (this.empty.dataset.key === key) return;
    this.empty.dataset.key = key;
    this.empty.replaceChildren(
      ...(isFirst
        ? [
            h("p", { class: "empty-title" }, SAY.emptyTitle),
            h("p", { class: "muted" }, SAY.empty),
            button(SAY.add, () => this.addDialog.open(), { kind: "primary", glyph: "plus" }),
          ]
        : [h("p", { class: "muted" }, key)]),
    );
  }

  /** Whoever sees what failed has been told: the tray's icon need not say it any more. */
  #noteSeen() {
    const newest = this.name === "needs" && document.hasFocus() ? this.listing.at(0)?.id : null;
    if (!newest || newest === this.#seen) return;
    this.#seen = newest;
    this.api.post("downloads/seen").catch(() => null);
  }

  #setRows(height) {
    prefer(ROWS, height);
    this.#showRows();
  }

  #setTogether(isTogether) {
    prefer(TOGETHER, isTogether);
    this.#choose(this.name, this.#sort());
  }

  #showRows() {
    this.table.element.dataset.rows = preferred(ROWS, "compact") === "roomy" ? "roomy" : "compact";
    this.table.measure();
  }

  async #clear() {
    await this.messages.trying(() => this.api.post("clear"));
  }
}

