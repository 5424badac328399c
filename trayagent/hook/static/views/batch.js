// What was asked together: how far it is, its report, and what can be done. Above the list when the list shows nothing
// else, below it when the batch is one row among others.
import { isBusy, query } from "../api.js";
import { possible } from "../batch-acts.js";
import { button, h, icon, iconButton, setText } from "../dom.js";
import { ago, moment } from "../format.js";
import { BATCH, OUTCOMES, SAY, VIA } from "../words.js";
import { reportOf } from "./report.js";
import { doneOf } from "./side.js";

const AGAIN = 3000; // milliseconds until what could not be read is asked for once more

/** Tells `title` when it knows what the batch is called; a panel also tells `close`. */
export class BatchHead extends EventTarget {
  #id = null;
  #looks = 0; // at how many have failed

  constructor({ api, board, messages, batchActs }, { isPanel = false } = {}) {
    super();
    Object.assign(this, { api, board, messages });
    this.title = h("h2", { class: "cut", hidden: !isPanel });
    const close = isPanel ? iconButton("cross", SAY.close, () => this.dispatchEvent(new Event("close"))) : null;
    this.facts = h("p", { class: "muted small" });
    this.bar = h("progress", {});
    this.counts = h("p", { class: "counts small numbers" });
    this.trouble = h("p", { class: "trouble small" });
    this.retry = button(BATCH.retryFailed, () => batchActs.retry(this.batch), { glyph: "again" });
    this.retry.hidden = true;
    this.stop = button(BATCH.stop, () => batchActs.stop(this.batch), { glyph: "cross" });
    this.undo = button(BATCH.undo, () => batchActs.undo(this.batch), { glyph: "undo" });
    this.report = h("div", {});
    this.element = h(
      "section",
      { class: isPanel ? "batch-head batch-panel" : "batch-head", tabindex: isPanel && "-1", hidden: true, "aria-label": BATCH.report },
      h(
        "div",
        { class: "card-head" },
        icon("batch"),
        h("div", { class: "grow" }, this.title, this.facts, this.counts),
        h("div", { class: "buttons" }, this.retry, this.stop, this.undo, close),
      ),
      this.bar,
      this.trouble,
      this.report,
    );
    if (isPanel)
      this.element.addEventListener("keydown", (event) => {
        if (event.key === "Escape") this.dispatchEvent(new Event("close"));
      });
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
    if (this.report.dataset.batch !== id) this.report.replaceChildren(reportOf(this.api, this.messages, id));
    this.report.dataset.batch = id;
    this.#paint();
    await this.#countFailed();
  }

  /** How many of it have failed by now: the report of a finished list stays as it was. */
  async #countFailed() {
    const id = this.#id;
    if (!id) return;
    const look = (this.#looks += 1);
    const asked = query({ sort: "added", state: "failed", batch: id, limit: 1 });
    const failed = await this.api.get(`downloads${asked}`).catch((error) => error);
    if (look !== this.#looks || id !== this.#id) return; // a later look knows more
    if (failed.downloads) this.retry.hidden = !failed.total;
    // What was counted a moment ago may be old by now: the answer says when to ask once more.
    const wait = isBusy(failed) ? AGAIN : (failed.again ?? 0) * 1000;
    if (wait) setTimeout(() => look === this.#looks && this.#countFailed(), wait);
  }

  #paint() {
    if (!this.#id || !this.batch) return;
    this.batch = this.board.batches.find(({ id }) => id === this.#id) ?? this.batch;
    const { batch } = this;
    const { counts } = batch;
    const { done, total } = doneOf(batch);
    setText(this.title, batch.title || batch.id);
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
    const can = possible(batch);
    this.stop.hidden = !can.stop;
    this.undo.hidden = !can.undo;
  }
}

function standing({ undone_at: undone, finished_at: finished }) {
  if (undone) return BATCH.undoneAt(ago(undone));
  return finished ? BATCH.finished(ago(finished)) : BATCH.running;
}
