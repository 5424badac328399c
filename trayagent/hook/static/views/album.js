// The items of one library as an album: by day, newest first, thumbnails fetched when they come into sight.
import { query } from "../api.js";
import { button, h, icon } from "../dom.js";
import { day, moment } from "../format.js";
import { SAY } from "../words.js";
import { ALBUM, ITEM_STATES } from "../words-images.js";
import { Viewer, idOf } from "./viewer.js";

const PAGE = 60;
const SCROLLER = document.getElementById("view"); // what is scrolled: margins count from its edges
const UNDO = 9000; // milliseconds in which the trash can be taken back

export class Album {
  #turn = 0;
  #cells = new Map(); // by item id
  #pictures = new Set(); // object URLs
  #leaving = new Set(); // items on their way to the trash
  #finishers = new Set();
  #sight = new IntersectionObserver(
    (seen) => seen.filter((each) => each.isIntersecting).forEach((each) => this.#load(each.target)),
    { root: SCROLLER, rootMargin: "300px" },
  );
  #end = new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && this.more(), {
    root: SCROLLER,
    rootMargin: "600px",
  });

  constructor(api, messages) {
    Object.assign(this, { api, messages, items: [], ticked: new Map(), running: false, since: null });
    this.days = h("div", { class: "days" });
    this.note = h("p", { class: "muted empty", role: "status" });
    this.moreButton = button(ALBUM.showMore, () => this.more());
    this.bar = h("div", { class: "tick-bar buttons", hidden: true, role: "group", "aria-label": ALBUM.more });
    this.element = h("div", { class: "album" }, this.days, this.note, h("div", { class: "centre" }, this.moreButton), this.bar);
    this.viewer = new Viewer(this);
    this.#end.observe(this.moreButton);
    addEventListener("pagehide", () => this.#finishers.forEach((finish) => finish({ keepalive: true })));
  }

  path(item, rest) {
    return `sources/${encodeURIComponent(this.source)}/items/${encodeURIComponent(idOf(item))}/${rest}`;
  }

  /** Shows a source's items of a kind, from the newest. */
  async open(source, shown) {
    Object.assign(this, { source, shown, items: [], next: null });
    this.ticked.clear();
    for (const address of this.#pictures) URL.revokeObjectURL(address);
    this.#pictures.clear();
    this.#cells.clear();
    const page = await this.#read(null);
    if (page) this.#take(page.items, page.next);
  }

  /** Goes on where the items end. */
  async more() {
    if (!this.next || this.reading) return;
    this.reading = true;
    const page = await this.#read(this.next);
    this.reading = false;
    if (page) this.#take([...this.items, ...page.items], page.next);
  }

  /** Reads the newest again, while a sync runs or after it; what is in sight stays in its place. */
  async refresh() {
    const page = await this.#read(null);
    if (!page) return;
    const fresh = new Set(page.items.map(idOf));
    const rest = this.items.filter((item) => !fresh.has(idOf(item)));
    this.#take([...page.items, ...rest], rest.length ? this.next : page.next);
  }

  async #read(after) {
    const turn = ++this.#turn;
    const isNew = this.shown === "new";
    const asked = query({ state: isNew ? "" : this.shown, new: isNew || null, limit: PAGE, after });
    const page = await this.messages.trying(() => this.api.get(`sources/${encodeURIComponent(this.source)}/items${asked}`));
    return turn === this.#turn ? page : null;
  }

  #take(items, next) {
    const seen = new Set();
    this.items = items.filter((item) => !seen.has(idOf(item)) && seen.add(idOf(item)));
    this.next = next ?? null;
    this.#paint();
  }

  #paint() {
    const groups = new Map();
    for (const item of this.items) {
      if (this.#leaving.has(idOf(item))) continue;
      const when = day(item.created_at) || ALBUM.noDate;
      if (!groups.has(when)) groups.set(when, []);
      groups.get(when).push(this.#cell(item));
    }
    const focused = document.activeElement;
    this.days.replaceChildren(
      ...[...groups].map(([when, cells]) =>
        h("section", { class: "day", "aria-label": when }, h("h3", {}, when), h("ul", { class: "gallery" }, cells)),
      ),
    );
    // A cell that is moved loses the focus, and whoever goes through a library that is synced would begin again.
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    this.moreButton.hidden = !this.next;
    const nothing = this.running ? ALBUM.emptyRunning : this.shown ? ALBUM.emptyKind : ALBUM.empty;
    this.note.textContent = groups.size ? "" : nothing;
    this.#showBar();
  }

  /** The cell of an item, the one that is there already unless the item has changed. */
  #cell(item) {
    const known = this.#cells.get(idOf(item));
    const isNew = Boolean(this.since && item.arrived_at && item.arrived_at >= this.since);
    const looks = `${item.state} ${isNew} ${item.error?.message ?? ""}`;
    if (known?.looks === looks) return known.cell;
    const name = idOf(item);
    const isHere = item.state === "present" || (item.state === "gone" && item.local_path);
    const glyph = icon(item.kind === "video" ? "video" : "images");
    const frame = isHere
      ? h("button", { type: "button", class: "frame", "aria-label": ALBUM.view(name), onclick: () => this.viewer.show(idOf(item)) }, glyph)
      : h("span", { class: "frame" }, glyph);
    if (isHere) {
      frame.item = item;
      this.#sight.observe(frame);
    }
    const tick = h("input", {
      type: "checkbox",
      "aria-label": ALBUM.tick(name),
      checked: this.ticked.has(idOf(item)),
      onchange: () => {
        if (tick.checked) this.ticked.set(idOf(item), item);
        else this.ticked.delete(idOf(item));
        this.#showBar();
      },
    });
    const said = [isNew ? ALBUM.isNew : "", item.kind === "video" ? ALBUM.video : "", ITEM_STATES[item.state] ?? item.state, item.error?.message]
      .filter(Boolean)
      .join(" · ");
    const cell = h(
      "li",
      { class: "cell", data: { state: item.state }, title: [name, item.local_path, moment(item.created_at)].filter(Boolean).join("\n") },
      frame,
      h("span", { class: "caption small" }, tick, h("span", { class: isNew ? "cut fresh" : "cut" }, said || name)),
    );
    this.#cells.set(idOf(item), { cell, looks });
    return cell;
  }

  async #load(frame) {
    this.#sight.unobserve(frame);
    const address = await this.api.picture(this.path(frame.item, "thumbnail")).catch(() => null);
    if (!address) return; // a video, or a picture that cannot be drawn: its icon stays
    if (!frame.isConnected) return URL.revokeObjectURL(address);
    this.#pictures.add(address);
    const isVideo = frame.item.kind === "video";
    frame.replaceChildren(h("img", { src: address, alt: "", loading: "lazy" }), ...(isVideo ? [icon("play")] : []));
  }

  // What is ticked

  #showBar() {
    const chosen = [...this.ticked.values()];
    this.bar.hidden = !chosen.length;
    if (!chosen.length) return;
    const here = chosen.filter(({ state, local_path: path }) => state === "present" && path);
    const away = chosen.filter(({ state }) => state !== "present");
    this.bar.replaceChildren(
      h("span", { class: "grow numbers" }, ALBUM.ticked(chosen.length)),
      ...(away.length ? [button(ALBUM.fetch(away.length), () => this.#fetch(away), { glyph: "down" })] : []),
      ...(here.length ? [button(ALBUM.trash(here.length), () => this.trash(here), { glyph: "trash" })] : []),
      button(ALBUM.untick, () => this.#untick(), { kind: "quiet" }),
    );
  }

  #untick() {
    this.ticked.clear();
    for (const box of this.days.querySelectorAll("input:checked")) box.checked = false;
    this.#showBar();
  }

  async #fetch(items) {
    const names = items.map(({ name }) => name);
    const answer = await this.messages.trying(() => this.api.post(`sources/${encodeURIComponent(this.source)}/download`, { names }));
    if (!answer) return;
    this.messages.tell(ALBUM.fetching(names.length - (answer.unknown?.length ?? 0), names.length), "good");
    this.#untick();
    await this.refresh();
  }

  /** Files to the trash; for a few seconds that can be taken back, and nothing has happened yet. */
  trash(items) {
    const { source } = this;
    const ids = items.map(idOf);
    for (const id of ids) {
      this.#leaving.add(id);
      this.ticked.delete(id);
    }
    this.#paint();
    const settle = () => {
      clearTimeout(timer);
      this.#finishers.delete(finish);
      quiet();
    };
    const back = () => {
      settle();
      for (const id of ids) this.#leaving.delete(id);
      this.#paint();
    };
    const finish = async (how = {}) => {
      settle();
      const names = items.map(({ name }) => name);
      await this.messages.trying(() => this.api.post(`sources/${encodeURIComponent(source)}/trash`, { names }, {}, how));
      for (const id of ids) this.#leaving.delete(id);
      if (source === this.source) await this.open(this.source, this.shown);
    };
    const quiet = this.messages.tell(ALBUM.trashed(items.length), "", [[SAY.undo, back]]);
    const timer = setTimeout(finish, UNDO);
    this.#finishers.add(finish);
  }

  /** What the viewer goes through: everything whose file is here. */
  get viewable() {
    return this.items.filter((item) => item.local_path && !this.#leaving.has(idOf(item)));
  }
}
