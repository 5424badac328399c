// What is done with everything that was asked together.
import { confirmed } from "./say.js";
import { BATCH } from "./words.js";
import { doneOf } from "./views/side.js";

export class BatchActs {
  constructor(api, messages) {
    Object.assign(this, { api, messages });
  }

  retry({ id }) {
    return this.messages.trying(() => this.api.post(`batches/${id}/retry`));
  }

  async stop({ id, title }) {
    const done = await this.messages.trying(() => this.api.post(`batches/${id}/stop`));
    if (done) this.messages.tell(BATCH.stopped(title));
  }

  /** Asks first: files go to the trash. */
  async undo(batch) {
    const { id, title, counts } = batch;
    const { done, total } = doneOf(batch);
    const files = counts.completed ?? 0;
    const text = BATCH.undoText(files, total - done) || BATCH.nothing;
    if (!(await confirmed(BATCH.undoTitle(title), text, BATCH.undoYes(files), "danger", BATCH.undoNo))) return;
    if (await this.messages.trying(() => this.api.post(`batches/${id}/undo`))) this.messages.tell(BATCH.undone(title));
  }
}

/** Whether something of it has still to come; whether there is anything to undo. */
export function possible(batch) {
  const { done, total } = doneOf(batch);
  return { stop: done < total, undo: !batch.undone_at && Boolean(batch.counts.completed || done < total) };
}
