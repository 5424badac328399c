// Lists and other things asked for together, each with its report.
import { query } from "./api.js";
import { button, h, icon, setText } from "./dom.js";
import { ago, count, moment } from "./format.js";
import { reportOf } from "./report.js";
import { confirmed } from "./say.js";

const VIA = {
  drop: "Drop folder",
  hook: "Sent together",
  cli: "Command line",
  extension: "Browser",
  sync: "Image sync",
  page: "Browser",
};

export class BatchesView {
  title = "Lists";
  #next = null;
  #visible = false;

  constructor({ api, board, messages, dropFolder }) {
    Object.assign(this, { api, messages, dropFolder });
    this.list = h("ul", { class: "cards" });
    this.note = h("p", { class: "muted empty" });
    this.more = button("Show more", () => this.#page(this.#next));
    this.element = h("div", { class: "view" }, this.list, this.note, h("div", { class: "centre" }, this.more));
    board.addEventListener("event", ({ detail }) => {
      if (this.#visible && detail.name.startsWith("batch.")) this.show();
    });
  }

  async show() {
    this.#visible = true;
    await this.#page(null);
  }
  hide() {
    this.#visible = false;
  }

  async #page(after) {
    const page = await this.messages.trying(() => this.api.get(`batches${query({ limit: 30, after })}`));
    if (!page) return;
    const cards = page.batches.map((batch) => this.#card(batch));
    if (after) this.list.append(...cards);
    else this.list.replaceChildren(...cards);
    this.#next = page.next ?? null;
    this.more.hidden = !this.#next;
    const folder = this.dropFolder();
    setText(
      this.note,
      this.list.children.length
        ? ""
        : `No lists yet. Put a file of links into the drop folder${folder ? `: ${folder}` : ""}.`,
    );
  }

  #card(batch) {
    const { counts } = batch;
    const total = Object.values(counts).reduce((sum, number) => sum + number, 0);
    const title = batch.title || batch.list || count(total, "download");
    return h(
      "li",
      { class: "card batch" },
      h(
        "div",
        { class: "card-head" },
        icon("list"),
        h(
          "div",
          { class: "grow" },
          h("h2", {}, title),
          h(
            "p",
            { class: "muted small" },
            [
              VIA[batch.via] ?? batch.via,
              moment(batch.created_at),
              batch.finished_at ? `finished ${ago(batch.finished_at)}` : "running",
            ].join(" · "),
          ),
        ),
        button("Undo", () => this.#undo(batch, title), { glyph: "undo", kind: "quiet" }),
      ),
      meter(counts, total),
      batch.first_error ? h("p", { class: "trouble small" }, batch.first_error) : null,
      reportOf(this.api, this.messages, batch.id),
    );
  }

  async #undo(batch, title) {
    const yes = await confirmed(
      "Undo this list",
      `Cancel what is left of “${title}”, and move the files that arrived to the trash?`,
      "Undo",
      "danger",
    );
    if (yes && (await this.messages.trying(() => this.api.post(`batches/${batch.id}/undo`)))) {
      this.messages.tell(`“${title}” is undone.`);
      await this.show();
    }
  }
}

const PARTS = [
  ["completed", "saved"],
  ["duplicate", "repeated"],
  ["failed", "failed"],
  ["rejected", "refused"],
  ["cancelled", "cancelled"],
];

function meter(counts, total) {
  const words = PARTS.filter(([key]) => counts[key]).map(([key, word]) =>
    h("span", { class: "count", data: { outcome: key } }, `${counts[key].toLocaleString()} ${word}`),
  );
  const done = PARTS.reduce((sum, [key]) => sum + (counts[key] ?? 0), 0);
  return h(
    "div",
    { class: "meter" },
    h("progress", { max: total || 1, value: done, "aria-label": `${done} of ${total} done` }),
    h(
      "p",
      { class: "counts small numbers" },
      h("span", { class: "muted" }, `${done.toLocaleString()} of ${count(total, "link")}`),
      words,
    ),
  );
}
