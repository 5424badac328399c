// Image libraries: sources with their sync buttons, and the album of the chosen one.
import { button, h, select, setText } from "../dom.js";
import { confirmed } from "../say.js";
import { ALBUM, EVERY, SHOWN } from "../words-images.js";
import { Album } from "./album.js";
import { SourceCard } from "./source-card.js";
import { changeSource, logIn } from "./source-dialogs.js";
import { setUp } from "./wizard.js";

const AGAIN = 1500; // milliseconds between two looks while a sync runs

export class ImagesView {
  title = ALBUM.title;
  #visible = false;
  #timer = 0;
  #runs = new Map(); // by source: the run as its events tell it
  #cards = new Map(); // by source

  constructor({ api, board, messages, config }) {
    Object.assign(this, { api, messages, config, chosen: null, sources: [] });
    this.cards = h("ul", { class: "cards sources" });
    this.album = new Album(api, messages);
    this.shown = select(SHOWN, "", { "aria-label": ALBUM.show, onchange: () => this.album.open(this.chosen, this.shown.value) });
    this.heading = h("h2");
    this.library = h(
      "section",
      { class: "part", hidden: true, "aria-label": ALBUM.library },
      h("div", { class: "part-head" }, this.heading, h("div", { class: "buttons" }, this.shown)),
      this.album.element,
    );
    const add = () => button(ALBUM.setUp, () => this.#setUp(), { kind: "primary", glyph: "images" });
    this.empty = h(
      "div",
      { class: "empty", hidden: true },
      h("p", { class: "empty-title" }, ALBUM.noneTitle),
      h("p", { class: "muted" }, ALBUM.none),
      add(),
    );
    this.syncAll = button(ALBUM.syncAll, () => this.#syncAll(), { kind: "primary", glyph: "again" });
    // Hidden until the sources are known: a button that vanishes under the pointer is none.
    this.tools = h(
      "div",
      { class: "part-head", hidden: true },
      h("h2", {}, ALBUM.sources),
      h("div", { class: "buttons" }, button(ALBUM.setUp, () => this.#setUp(), { glyph: "plus" }), this.syncAll),
    );
    this.element = h(
      "div",
      { class: "view" },
      h("section", { class: "part", "aria-label": ALBUM.sources }, this.tools, this.cards, this.empty),
      this.library,
    );
    board.addEventListener("event", ({ detail }) => this.#follow(detail));
  }

  async show() {
    this.#visible = true;
    await this.#readSources();
    const again = this.sources.find(({ name }) => name === this.chosen) ?? this.sources[0];
    if (again && again.name !== this.chosen) await this.#browse(again.name);
    else if (again) await this.album.refresh();
  }

  hide() {
    this.#visible = false;
  }

  async #readSources() {
    const answer = await this.messages.trying(() => this.api.get("sources"));
    if (!answer) return;
    this.sources = answer.sources;
    if (!this.sources.some(({ name }) => name === this.chosen)) this.chosen = null;
    this.#paint();
  }

  #paint() {
    const names = this.sources.map(({ name }) => name);
    if (names.join("\n") !== [...this.#cards.keys()].join("\n")) {
      this.#cards = new Map(names.map((name) => [name, this.#cards.get(name) ?? this.#card(name)]));
      this.cards.replaceChildren(...[...this.#cards.values()].map(({ element }) => element));
    }
    for (const source of this.sources) {
      const { name } = source;
      const [run, isChosen, isOnly] = [this.#runs.get(name), name === this.chosen, this.sources.length < 2];
      this.#cards.get(name).paint(source, { facts: this.#facts(source), run, isChosen, isOnly });
    }
    this.empty.hidden = this.sources.length > 0;
    this.tools.hidden = !this.sources.length;
    this.syncAll.hidden = this.sources.length < 2; // with one source it would be the same button twice
    this.library.hidden = !this.chosen;
    const chosen = this.sources.find(({ name }) => name === this.chosen);
    this.album.running = chosen?.last_run?.state === "running";
    this.album.since = chosen?.last_run?.started_at ?? null;
  }

  #card(name) {
    return new SourceCard(name, {
      sync: () => this.#sync(name),
      logIn: () => this.#logIn({ name }),
      browse: () => this.#browse(name),
      choices: () => this.#choices(name),
    });
  }

  #choices(name) {
    const source = this.sources.find((each) => each.name === name);
    return [
      [ALBUM.look, () => this.#sync(name, true)],
      [ALBUM.edit, () => this.#change(source)],
      source.signed_in ? [ALBUM.signOut, () => this.#signOut(name)] : [ALBUM.signIn, () => this.#logIn(source)],
      [ALBUM.remove, () => this.#remove(source)],
    ];
  }

  #facts({ name, account, type }) {
    const settings = this.config.at("sources")?.find((each) => each.name === name);
    const every = settings?.every ? (EVERY.find(([value]) => value === settings.every)?.[1] ?? settings.every) : "";
    return [account === "default" ? "" : account, type, every].filter(Boolean).join(" · ");
  }

  async #browse(name) {
    this.chosen = name;
    this.#paint();
    setText(this.heading, ALBUM.in(name));
    await this.album.open(name, this.shown.value);
  }

  async #sync(name, listOnly = false) {
    const run = await this.messages.trying(() => this.api.post(`sources/${encodeURIComponent(name)}/sync`, { list_only: listOnly }));
    if (!run) return;
    this.messages.tell(listOnly ? ALBUM.looking(name) : ALBUM.syncStarted(name));
    await this.show();
  }

  async #syncAll() {
    for (const { name } of this.sources) await this.#sync(name);
  }

  async #setUp() {
    if (!(await setUp(this.api, this.messages))) return;
    await this.config.load();
    await this.show();
  }

  async #logIn(source) {
    if (await logIn(this.api, this.messages, source)) await this.show();
  }

  async #signOut(name) {
    if (await this.messages.trying(() => this.api.post(`sources/${encodeURIComponent(name)}/logout`))) this.messages.tell(ALBUM.signedOut(name));
    await this.show();
  }

  async #change(source) {
    const settings = this.config.at("sources")?.find(({ name }) => name === source.name) ?? {};
    if (!(await changeSource(this.api, this.messages, source.name, settings))) return;
    await this.config.load();
    await this.show();
  }

  async #remove({ name, present }) {
    if (!(await confirmed(ALBUM.removeTitle(name), ALBUM.removeText(present), ALBUM.removeYes, "danger"))) return;
    if (!(await this.messages.trying(() => this.api.delete(`sources/${encodeURIComponent(name)}`)))) return;
    this.messages.tell(ALBUM.removed(name));
    await this.config.load();
    await this.show();
  }

  /** Follows a running sync, looking again at most once in a while: pictures appear as they arrive. */
  #follow({ name, data }) {
    if (name.startsWith("sync.")) this.#runs.set(data.source, data.run);
    const isMine = name.startsWith("sync.") || name === "source.changed" || (name === "download.completed" && data.source === this.chosen);
    if (!isMine || !this.#visible) return;
    this.#timer ||= setTimeout(async () => {
      this.#timer = 0;
      if (this.#visible) await this.show();
    }, AGAIN);
  }
}
