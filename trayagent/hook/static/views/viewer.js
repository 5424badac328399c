// One picture or video of the album, large, with keys: arrows, Home, End, Delete, Escape.
import { button, h, icon, iconButton, setText } from "../dom.js";
import { moment, size } from "../format.js";
import { VIEWER } from "../words-images.js";

/** What an item goes by, in addresses and for people: its media key is unique, its name may not be. */
export const idOf = (item) => item.media_key ?? item.name;

export class Viewer {
  #address = null; // object URL of what is shown
  #turn = 0;

  constructor(album) {
    this.album = album;
    this.stage = h("div", { class: "stage", role: "status" });
    this.name = h("h2", { id: "viewer-title", class: "cut" });
    this.facts = h("p", { class: "muted small numbers" });
    this.previous = iconButton("more", VIEWER.previous, () => this.#step(-1), "quiet turn-left");
    this.next = iconButton("more", VIEWER.next, () => this.#step(1), "quiet turn-right");
    this.element = h(
      "dialog",
      { class: "viewer card", "aria-labelledby": "viewer-title", onkeydown: (event) => this.#onKey(event), onclose: () => this.#clear() },
      h(
        "div",
        { class: "viewer-head" },
        h("div", { class: "grow" }, this.name, this.facts),
        h(
          "div",
          { class: "buttons" },
          button(VIEWER.open, () => this.#show("file"), { glyph: "open" }),
          button(VIEWER.folder, () => this.#show("folder"), { glyph: "folder" }),
          iconButton("trash", VIEWER.trash, () => this.#trash()),
          iconButton("cross", VIEWER.close, () => this.element.close()),
        ),
      ),
      h("div", { class: "viewer-body" }, this.previous, this.stage, this.next),
    );
    document.body.append(this.element);
  }

  /** Shows the item with this id. */
  async show(id) {
    const items = this.album.viewable;
    const at = items.findIndex((item) => idOf(item) === id);
    if (at < 0) return;
    this.item = items[at];
    if (!this.element.open) this.element.showModal();
    setText(this.name, idOf(this.item));
    const all = this.album.next ? `${items.length.toLocaleString()}+` : items.length;
    setText(this.facts, [VIEWER.at(at + 1, all), moment(this.item.created_at), size(this.item.size)].filter(Boolean).join(" · "));
    this.previous.disabled = at === 0;
    this.next.disabled = at === items.length - 1 && !this.album.next;
    await this.#draw();
  }

  async #draw() {
    const { item } = this;
    const turn = ++this.#turn;
    this.stage.replaceChildren(h("p", { class: "muted" }, VIEWER.loading));
    const address = await this.album.api.picture(this.album.path(item, "file")).catch(() => null);
    if (turn !== this.#turn || !this.element.open) {
      if (address) URL.revokeObjectURL(address);
      return; // somebody has gone on already
    }
    this.#forget();
    this.#address = address;
    const cannot = () => this.stage.replaceChildren(icon(item.kind === "video" ? "video" : "images"), h("p", {}, VIEWER.cannot));
    if (!address) return cannot();
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const isVideo = item.kind === "video" || /\.(mp4|webm|mov)$/i.test(item.local_path);
    const shown = isVideo
      ? h("video", { src: address, controls: true, loop: true, muted: true, playsinline: true, autoplay: !isCalm, "aria-label": idOf(item) })
      : h("img", { src: address, alt: idOf(item) });
    shown.addEventListener("error", cannot);
    this.stage.replaceChildren(shown);
  }

  async #step(by) {
    const items = this.album.viewable;
    const at = items.findIndex((item) => idOf(item) === idOf(this.item)) + by;
    if (at >= items.length && this.album.next) await this.album.more();
    const next = this.album.viewable[at];
    if (next) await this.show(idOf(next));
  }

  #show(what) {
    return this.album.messages.trying(() => this.album.api.post(this.album.path(this.item, "open"), { what }));
  }

  /** The next one comes into sight, so that a look through many needs one key each. */
  async #trash() {
    const { item } = this;
    const items = this.album.viewable;
    const at = items.findIndex((each) => idOf(each) === idOf(item));
    const after = items[at + 1] ?? items[at - 1];
    this.album.trash([item]);
    if (after) await this.show(idOf(after));
    else this.element.close();
  }

  #onKey(event) {
    if (event.target.tagName === "VIDEO" && event.key.startsWith("Arrow")) return; // its own keys
    const acts = {
      ArrowLeft: () => this.#step(-1),
      ArrowRight: () => this.#step(1),
      Home: () => this.show(idOf(this.album.viewable[0])),
      End: () => this.show(idOf(this.album.viewable.at(-1))),
      Delete: () => this.#trash(),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }

  #clear() {
    this.#turn += 1;
    this.#forget();
    this.stage.replaceChildren();
  }

  #forget() {
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = null;
  }
}
