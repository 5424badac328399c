// The head above the list when it shows what was asked together: how far it is, its report, and what can be done.
import { query } from "../api.js";
import { button, h, icon, setText } from "../dom.js";
import { ago, moment } from "../format.js";
import { confirmed } from "../say.js";
import { BATCH, OUTCOMES, VIA } from "../words.js";
import { reportOf } from "./report.js";
import { doneOf } from "./side.js";

/** Tells `title` when it knows what the batch is called. */
export class BatchHead extends EventTarget {
  #id = null;

  constructor({ api, board, messages }) {
    super();
    Object.assign(this, { api, board, messages });
    this.facts = h("p", { class: "muted small" });
    this.bar = h("progress", {});
    this.counts = h("p", { class: "counts small numbers" });
    this.trouble = h("p", { class: "trouble small" });
    this.retry = button(BATCH.retryFailed, () => this.#retry(), { glyph: "again" });
    this.retry.hidden = true;
    this.stop = button(BATCH.stop, () => this.#stop(), { glyph: "cross" });
    this.undo = button(BATCH.undo, () => this.#undo(), { glyph: "undo" });
    this.report = h("div", {});
    this.element = h(
      "section",
      { class: "batch-head", hidden: true, "aria-label": BATCH.report },
      h(
        "div",
        { class: "card-head" },
        icon("batch"),
        h("div", { class: "grow" }, this.facts, this.counts),
        h("div", { class: "buttons" }, this.retry, this.stop, this.undo),
      ),
      this.bar,
      this.trouble,
      this.report,
    );
    board.addEventListener("batches", () => this.#paint());
    board.addEventListener("counts", () => this.#countFailed());
  }

  /** Shows the batch with this id; null: none. */
  async show(id) {
    this.#id = id;
    this.element.hidden = !id;
    this.batch = null;
    if (!id) return;
    this.batch = await this.messages.trying(() => this.api.get(`batches/${id}?limit=1`));
    if (this.#id !== id || !this.batch) return;
    this.report.replaceChildren(reportOf(this.api, this.messages, id));
    this.#paint();
    await this.#countFailed();
  }

  /** How many of it have failed by now: the report of a finished list stays as it was. */
  async #countFailed() {
    const id = this.#id;
    if (!id) return;
    const asked = query({ sort: "added", state: "failed", batch: id, limit: 1 });
    const failed = await this.api.get(`downloads${asked}`).catch(() => null);
    if (failed && id === this.#id) this.retry.hidden = !failed.total;
  }

  #paint() {
    if (!this.#id || !this.batch) return;
    this.batch = this.board.batches.find(({ id }) => id === this.#id) ?? this.batch;
    const { batch } = this;
    const { counts } = batch;
    const { done, total } = doneOf(batch);
    this.dispatchEvent(new Event("title"));
    setText(
      this.facts,
      [VIA[batch.via] ?? batch.via, moment(batch.created_at), standing(batch)].join(" · "),
    );
    this.bar.max = total || 1;
    this.bar.value = done;
    this.bar.setAttribute("aria-label", BATCH.done(done, total));
    this.counts.replaceChildren(
      h("span", { class: "muted" }, BATCH.done(done, total)),
      ...Object.entries(OUTCOMES)
        .filter(([key]) => counts[key])
        .map(([key, word]) => h("span", { class: "count", data: { outcome: key } }, `${word}: ${counts[key].toLocaleString()}`)),
    );
    setText(this.trouble, batch.first_error ?? "");
    this.trouble.hidden = !batch.first_error;
    this.stop.hidden = done === total;
    this.undo.hidden = Boolean(batch.undone_at) || !(counts.completed || done < total);
  }

  async #retry() {
    await this.messages.trying(() => this.api.post(`batches/${this.#id}/retry`));
  }

  async #stop() {
    const { title } = this.batch;
    const done = await this.messages.trying(() => this.api.post(`batches/${this.#id}/stop`));
    if (done) this.messages.tell(BATCH.stopped(title));
  }

  async #undo() {
    const { title, counts } = this.batch;
    const { done, total } = doneOf(this.batch);
    const files = counts.completed ?? 0;
    const text = BATCH.undoText(files, total - done) || BATCH.nothing;
    if (!(await confirmed(BATCH.undoTitle(title), text, BATCH.undoYes(files), "danger", BATCH.undoNo))) return;
    if (await this.messages.trying(() => this.api.post(`batches/${this.#id}/undo`))) this.messages.tell(BATCH.undone(title));
  }
}

function standing({ undone_at: undone, finished_at: finished }) {
  if (undone) return BATCH.undoneAt(ago(undone));
  return finished ? BATCH.finished(ago(finished)) : BATCH.running;
}
