// Lists and other things asked for together, each with its report.
import { query } from "./api.js";
import { button, h, icon, select, setText } from "./dom.js";
import { ago, count, moment } from "./format.js";
import { confirmed } from "./say.js";

const VIA = {
  drop: "Drop folder",
  hook: "Sent together",
  cli: "Command line",
  extension: "Browser",
  sync: "Image sync",
  page: "Browser",
};
const OUTCOMES = [
  ["", "All lines"],
  ["failed", "Failed"],
  ["rejected", "Refused"],
  ["completed", "Saved"],
  ["duplicate", "Repeated"],
  ["cancelled", "Cancelled"],
];
const SHOWN = 500; // lines of a report on the page at a time
const READ = 20_000; // lines of a report in memory

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

  /** The first lines of a report; of a very long one not all. */
  async #lines(id) {
    const lines = [];
    for (let after = 0; after !== null && lines.length < READ; ) {
      const page = await this.api.get(`batches/${id}${query({ limit: 1000, after })}`);
      lines.push(...page.lines);
      after = page.next;
    }
    return lines;
  }

  #card(batch) {
    const { counts } = batch;
    const total = Object.values(counts).reduce((sum, number) => sum + number, 0);
    const title = batch.title || batch.list || count(total, "download");
    const report = h("details", { class: "report" }, h("summary", {}, "Report"));
    report.addEventListener("toggle", () => {
      if (report.open) this.#fillReport(report, batch);
    });
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
      report,
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

  async #fillReport(report, { id }) {
    const lines = await this.messages.trying(() => this.#lines(id));
    if (!lines) return;
    const filter = select(OUTCOMES, "", { "aria-label": "Lines to show" });
    const body = h("tbody");
    const rest = h("p", { class: "muted small" });
    const fill = () => {
      const wanted = lines.filter(({ outcome }) => !filter.value || outcome === filter.value);
      body.replaceChildren(...wanted.slice(0, SHOWN).map(line));
      setText(
        rest,
        wanted.length > SHOWN
          ? `and ${count(wanted.length - SHOWN, "more line")}; all are in the report file beside the list.`
          : wanted.length
            ? ""
            : "No such line.",
      );
    };
    filter.addEventListener("change", fill);
    fill();
    const head = h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["Line", "Outcome", "Address", "File or reason"].map((words) => h("th", { scope: "col" }, words)),
      ),
    );
    report.replaceChildren(
      report.firstChild,
      h("div", { class: "filters" }, filter),
      h(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "Lines of the list" },
        h("table", { class: "small" }, head, body),
      ),
      rest,
    );
  }
}

function line({ line: number, url, outcome, path, message }) {
  return h(
    "tr",
    { data: { outcome: outcome ?? "" } },
    h("td", { class: "numbers" }, String(number ?? "")),
    h("td", {}, h("span", { class: "tag" }, outcome ?? "waiting")),
    h("td", { class: "mono" }, url ?? ""),
    h("td", {}, path ?? message ?? ""),
  );
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
