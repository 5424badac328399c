// Everything ever asked for, searched by the agent.
import { query } from "./api.js";
import { button, h, icon, select, setText } from "./dom.js";
import { Rows } from "./rows.js";
import { confirmed } from "./say.js";
import { Verify } from "./verify.js";

const STATES = [
  ["", "All states"],
  ["completed", "Saved"],
  ["failed", "Failed"],
  ["cancelled", "Cancelled"],
  ["active", "Downloading"],
  ["queued", "Waiting"],
  ["paused", "Paused"],
];
const PAGE = 40;

export class HistoryView {
  title = "History";
  #found = [];
  #next = null;
  #asked = 0;

  constructor({ api, board, messages, acts }) {
    Object.assign(this, { api, board, messages });
    this.search = h("input", {
      type: "search",
      placeholder: "Search names and addresses",
      "aria-label": "Search the history",
    });
    this.state = select(STATES, "", { "aria-label": "State" });
    this.rows = new Rows(acts.run, "Found downloads");
    this.note = h("p", { class: "muted empty", role: "status" });
    this.more = button("Show more", () => this.#page(this.#next));
    this.verify = new Verify({ api, board, messages });
    const clear = button("Clear finished", () => this.#clear(), { glyph: "trash" });
    const filters = h(
      "div",
      { class: "filters" },
      h("div", { class: "search" }, icon("search"), this.search),
      this.state,
      this.verify.start,
      clear,
    );
    this.element = h(
      "div",
      { class: "view" },
      filters,
      this.verify.element,
      h("h2", { class: "hidden-text" }, "Found"),
      this.rows.element,
      this.note,
      h("div", { class: "centre" }, this.more),
    );
    let typing = 0;
    this.search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#page(null), 250);
    });
    this.state.addEventListener("change", () => this.#page(null));
    board.addEventListener("downloads", () => this.#follow());
    board.addEventListener("event", ({ detail }) => {
      if (detail.name === "download.removed") this.#drop(detail.data);
    });
  }

  /** Fills the view; with an id, that download is brought into sight. */
  async show(id = null) {
    if (id) this.search.value = this.state.value = "";
    await Promise.all([this.#page(null), this.verify.show()]);
    if (id) await this.#open(id);
  }

  /** One that is not on the page, since it is from long ago, comes first. */
  async #open(id) {
    if (!this.#found.some((download) => download.id === id)) {
      const download = await this.messages.trying(() => this.api.get(`downloads/${id}`));
      if (!download) return;
      this.#found = [download, ...this.#found];
      this.#paint();
    }
    this.rows.open(id);
  }

  async #page(after) {
    const turn = ++this.#asked;
    const page = await this.messages.trying(() =>
      this.api.get(`downloads${query({ q: this.search.value.trim(), state: this.state.value, limit: PAGE, after })}`),
    );
    if (!page || turn !== this.#asked) return;
    const known = new Set(after ? this.#found.map(({ id }) => id) : []);
    const fresh = page.downloads.filter(({ id }) => !known.has(id));
    this.#found = after ? [...this.#found, ...fresh] : fresh;
    this.#next = page.next ?? null;
    this.#paint();
  }

  async #clear() {
    if (
      !(await confirmed(
        "Clear finished downloads",
        "Take everything that is finished off the list? The files stay where they are.",
        "Clear",
      ))
    )
      return;
    if ((await this.messages.trying(() => this.api.post("clear"))) === undefined) return;
    await this.board.load();
    await this.show();
  }

  /** Rows on show follow the board; the selection itself changes only when it is asked for again. */
  #follow() {
    this.#found = this.#found.map((download) => this.board.downloads.get(download.id) ?? download);
    this.#paint();
  }

  #drop({ id }) {
    this.#found = this.#found.filter((download) => download.id !== id);
    this.#paint();
  }

  #paint() {
    this.rows.show(this.#found);
    this.more.hidden = !this.#next;
    setText(this.note, this.#found.length ? "" : "Nothing found.");
  }
}
