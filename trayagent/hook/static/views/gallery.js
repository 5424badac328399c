// The items of one library as a grid of thumbnails, fetched when they come into sight.
import { query } from "../api.js";
import { button, h, icon } from "../dom.js";
import { day, moment } from "../format.js";

const PAGE = 60;
const WORDS = {
  missing: "not here yet",
  present: "",
  gone: "gone from the site",
  failed: "failed",
  ignored: "left out",
};

export class Gallery {
  #pictures = new Set();
  #turn = 0;
  #sight = new IntersectionObserver(
    (seen) => seen.filter((each) => each.isIntersecting).forEach((each) => this.#load(each.target)),
    { rootMargin: "300px" },
  );

  constructor(api, messages) {
    Object.assign(this, { api, messages, marked: new Set() });
    this.grid = h("ul", { class: "gallery" });
    this.note = h("p", { class: "muted empty", role: "status" });
    this.more = button("Show more", () => this.#page(this.next));
    this.fetchButton = button("Fetch selected", () => this.#fetch(), { glyph: "down" });
    this.element = h("div", {}, this.grid, this.note, h("div", { class: "centre" }, this.more));
  }

  async open(source, state) {
    Object.assign(this, { source, state });
    this.#forget();
    await this.#page(null);
  }

  async #page(after) {
    const turn = ++this.#turn;
    const page = await this.messages.trying(() =>
      this.api.get(
        `sources/${encodeURIComponent(this.source)}/items${query({ state: this.state, limit: PAGE, after })}`,
      ),
    );
    if (!page || turn !== this.#turn) return;
    this.next = page.next ?? null;
    const cells = page.items.map((item) => this.#cell(item));
    if (after) this.grid.append(...cells);
    else this.grid.replaceChildren(...cells);
    this.more.hidden = !this.next;
    this.note.textContent = this.grid.children.length ? "" : "Nothing here yet. Sync to read the library.";
    this.#showButton();
  }

  #cell(item) {
    const frame = h("span", { class: "frame" }, icon(item.kind === "video" ? "video" : "images"));
    if (item.state === "present") {
      frame.dataset.item = item.name;
      this.#sight.observe(frame);
    }
    const mark = h("input", {
      type: "checkbox",
      onchange: () => {
        this.marked[mark.checked ? "add" : "delete"](item.name);
        this.#showButton();
      },
    });
    const words = [item.media_key ?? item.name, WORDS[item.state] ?? item.state, item.error?.message]
      .filter(Boolean)
      .join(": ");
    return h(
      "li",
      {
        class: "cell",
        data: { state: item.state },
        title: [item.local_path, moment(item.created_at)].filter(Boolean).join("\n"),
      },
      h(
        "label",
        {},
        frame,
        item.state === "present"
          ? h("span", { class: "hidden-text" }, words)
          : h(
              "span",
              { class: "caption small" },
              mark,
              h("span", { class: "cut" }, WORDS[item.state] || item.state),
              h("span", { class: "hidden-text" }, item.name),
            ),
        item.state === "present"
          ? h("span", { class: "caption small" }, h("span", { class: "cut" }, day(item.created_at) || item.name))
          : null,
      ),
    );
  }

  async #load(frame) {
    this.#sight.unobserve(frame);
    const turn = this.#turn;
    const path = `sources/${encodeURIComponent(this.source)}/items/${encodeURIComponent(frame.dataset.item)}/thumbnail`;
    const address = await this.api.picture(path).catch(() => null);
    if (!address) return;
    if (turn !== this.#turn && !frame.isConnected) return URL.revokeObjectURL(address);
    this.#pictures.add(address);
    frame.replaceChildren(h("img", { src: address, alt: "", loading: "lazy" }), frame.querySelector(".video") ?? "");
  }

  async #fetch() {
    const names = [...this.marked];
    const answer = await this.messages.trying(() =>
      this.api.post(`sources/${encodeURIComponent(this.source)}/download`, { names }),
    );
    if (!answer) return;
    this.messages.tell(`Fetching ${names.length - (answer.unknown?.length ?? 0)} of ${names.length}.`, "good");
    await this.open(this.source, this.state);
  }

  #showButton() {
    this.fetchButton.hidden = !this.marked.size;
  }

  #forget() {
    for (const address of this.#pictures) URL.revokeObjectURL(address);
    this.#pictures.clear();
    this.marked.clear();
  }
}
