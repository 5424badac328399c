// Image libraries: sources with their sync buttons, and what is in them.
import { button, h, icon, select, setText } from "../dom.js";
import { ago, count } from "../format.js";
import { Gallery } from "./gallery.js";
import { logIn, setUp } from "./wizard.js";

const STATES = [
  ["", "All"],
  ["present", "Here"],
  ["missing", "Not here yet"],
  ["failed", "Failed"],
  ["gone", "Gone from the site"],
  ["ignored", "Left out"],
];

export class ImagesView {
  title = "Images";
  #visible = false;
  #timer = 0;
  #stale = false;

  constructor({ api, board, messages }) {
    Object.assign(this, { api, messages });
    this.cards = h("ul", { class: "cards sources" });
    this.chosen = null;
    this.state = select(STATES, "", { "aria-label": "Images to show", onchange: () => this.#browse(this.chosen) });
    this.heading = h("h2");
    this.gallery = new Gallery(api, messages);
    this.library = h(
      "section",
      { class: "part", hidden: true, "aria-label": "Library" },
      h(
        "div",
        { class: "part-head" },
        this.heading,
        h("div", { class: "buttons" }, this.state, this.gallery.fetchButton),
      ),
      this.gallery.element,
    );
    this.empty = h(
      "div",
      { class: "empty", hidden: true },
      h("p", { class: "empty-title" }, "No image library yet"),
      h(
        "p",
        { class: "muted" },
        "Keep a copy of everything you made on a site: new pictures and videos arrive with one click.",
      ),
      button("Set up images…", () => this.#setUp(), { kind: "primary", glyph: "images" }),
    );
    this.add = button("Set up images…", () => this.#setUp(), { glyph: "plus" });
    this.syncAll = button("Sync all", () => this.#syncAll(), { kind: "primary", glyph: "again" });
    // Hidden until the sources are known: a button that vanishes under the pointer is none.
    this.tools = h(
      "div",
      { class: "part-head", hidden: true },
      h("h2", {}, "Sources"),
      h("div", { class: "buttons" }, this.add, this.syncAll),
    );
    this.element = h(
      "div",
      { class: "view" },
      h("section", { class: "part", "aria-label": "Sources" }, this.tools, this.cards, this.empty),
      this.library,
    );
    board.addEventListener("event", ({ detail }) => this.#follow(detail));
  }

  async show() {
    this.#visible = true;
    const answer = await this.messages.trying(() => this.api.get("sources"));
    if (!answer) return;
    this.sources = answer.sources;
    this.#paint();
    const again = this.sources.find(({ name }) => name === this.chosen) ?? this.sources[0];
    if (again && again.name !== this.chosen) await this.#browse(again.name);
  }

  hide() {
    this.#visible = false;
  }

  #paint() {
    this.cards.replaceChildren(...this.sources.map((source) => this.#card(source)));
    this.empty.hidden = this.sources.length > 0;
    this.tools.hidden = !this.sources.length;
    if (!this.sources.length) this.library.hidden = true;
  }

  #card(source) {
    const running = source.last_run?.state === "running";
    const progress = running ? h("progress", { "aria-label": `Syncing ${source.name}` }) : null;
    const sign = source.signed_in
      ? null
      : button(
          "Sign in…",
          async () => {
            if (await logIn(this.api, this.messages, source)) await this.show();
          },
          { glyph: "key" },
        );
    const sync = button(running ? "Syncing…" : "Sync", () => this.#sync(source.name), {
      kind: "primary",
      glyph: "again",
    });
    sync.disabled = running;
    return h(
      "li",
      { class: "card source", data: { chosen: String(source.name === this.chosen) } },
      h(
        "div",
        { class: "card-head" },
        icon("images"),
        h(
          "div",
          { class: "grow" },
          h("h3", {}, source.name),
          h("p", { class: "muted small" }, [source.account, source.type].filter(Boolean).join(" · ")),
        ),
      ),
      progress,
      h("p", { class: "small numbers" }, tally(source)),
      h("p", { class: "small muted" }, lastRun(source.last_run)),
      h(
        "div",
        { class: "buttons" },
        sync,
        sign,
        button("Browse", () => this.#browse(source.name)),
        button("Only look", () => this.#sync(source.name, true), { kind: "quiet" }),
      ),
    );
  }

  async #browse(name) {
    this.chosen = name;
    this.#paint();
    this.library.hidden = false;
    setText(this.heading, `In ${name}`);
    await this.gallery.open(name, this.state.value);
  }

  async #sync(name, listOnly = false) {
    const run = await this.messages.trying(() =>
      this.api.post(`sources/${encodeURIComponent(name)}/sync`, { list_only: listOnly }),
    );
    if (run) {
      this.messages.tell(listOnly ? `Looking what is new in ${name}.` : `Syncing ${name}.`);
      await this.show();
    }
  }

  async #syncAll() {
    for (const { name } of this.sources) await this.#sync(name);
  }

  async #setUp() {
    if (await setUp(this.api, this.messages)) await this.show();
  }

  /** Follows a running sync, repainting at most once a second; its items are read again at its end. */
  #follow({ name, data }) {
    if (!name.startsWith("sync.") || !this.#visible) return;
    this.#stale ||= name === "sync.finished" && data.source === this.chosen;
    this.#timer ||= setTimeout(async () => {
      this.#timer = 0;
      await this.show();
      if (!this.#stale) return;
      this.#stale = false;
      await this.gallery.open(this.chosen, this.state.value);
    }, 1000);
  }
}

function tally({ items, present, missing, gone }) {
  const said = [`${count(items ?? 0, "item")}`, `${(present ?? 0).toLocaleString()} here`];
  if (missing) said.push(`${missing.toLocaleString()} to fetch`);
  if (gone) said.push(`${gone.toLocaleString()} gone from the site`);
  return said.join(" · ");
}

function lastRun(run) {
  if (!run) return "Never synced.";
  const error = run.error ? ` ${run.error.message ?? run.error}` : "";
  if (run.state === "running") return `Reading page ${run.pages ?? 1}, ${count(run.seen ?? 0, "item")} seen…`;
  if (run.suspicious) return "Suspicious: most of the library seemed gone, so nothing was marked.";
  const when = run.finished_at ? ` ${ago(run.finished_at)}` : "";
  const fresh = run.new ? `, ${count(run.new, "new item")}` : "";
  return `Last sync${when}: ${run.state}${fresh}.${error}`;
}
