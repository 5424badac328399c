// A batch as one row of the list, its head: it folds open and shut; the batch's own rows follow it.
import { possible } from "../batch-acts.js";
import { h, icon, iconButton, setAttribute, setText } from "../dom.js";
import { shortMoment } from "../format.js";
import { BATCH, VIA } from "../words.js";
import { writeName } from "./row.js";
import { doneOf } from "./side.js";

/** A row element that is given one head after another: `{id, rows, shown, failed, batch}`. */
export class HeadRow {
  #seen = [];
  #verbs = "";

  /** `act(verb, batch)` is called with `retry`, `stop`, `undo` or `report`; `fold(head)` opens or closes it. */
  constructor({ act, fold }) {
    Object.assign(this, { act });
    this.fold = h("button", { type: "button", tabindex: "-1", class: "only-icon quiet fold", onclick: () => fold(this.head) }, icon("more"));
    const name = { head: h("span", { class: "name-head" }), tail: h("span", { class: "name-tail" }) };
    this.parts = { ...name, name: h("span", { class: "name" }, name.head, name.tail) };
    this.from = h("span", { class: "from muted small" });
    this.bar = h("progress", {});
    this.words = h("span", { class: "words" });
    this.added = cell("added numbers muted");
    this.actions = cell("actions");
    this.element = h(
      "div",
      { role: "row", class: "row head", "aria-level": "1" },
      cell("tick", this.fold),
      cell("what", h("span", { class: "type" }, icon("batch")), h("span", { class: "what-text" }, this.parts.name, this.from)),
      cell("size"), // empty: how many files there are is no size, and stands in the next cell
      cell("progress numbers", this.bar, this.words),
      cell("left"),
      this.added,
      this.actions,
    );
  }

  show(index, head, { current }) {
    const seen = [index, head, current];
    if (this.#seen.every((each, place) => each === seen[place]) && this.#seen.length) return;
    this.#seen = seen;
    this.head = this.download = head; // the table marks the current row by what it shows
    const { element } = this;
    const { batch } = head;
    const { done, total } = doneOf(batch);
    const refused = batch.counts.rejected ?? 0;
    const name = batch.title || batch.id;
    const isOpen = head.shown > 0;
    element.id = `row-${head.id}`;
    element.dataset.batch = head.id;
    setAttribute(element, "aria-rowindex", String(index + 2));
    setAttribute(element, "aria-expanded", String(isOpen));
    element.classList.toggle("current", current);
    element.dataset.state = head.failed || refused ? "failed" : done < total ? "active" : "completed";
    const words = isOpen ? BATCH.close(name) : BATCH.open(name);
    setAttribute(this.fold, "aria-label", words);
    this.fold.title = words;
    writeName(this.parts, name);
    setText(this.from, VIA[batch.via] ?? "");
    this.bar.hidden = done === total;
    this.bar.max = total || 1;
    this.bar.value = done;
    this.bar.setAttribute("aria-label", `${name}: ${BATCH.done(done, total)}`);
    // A refused line has no row to fold open; it counts here as it does at the side of the page.
    const outcomes = [head.failed ? BATCH.failed(head.failed) : "", refused ? BATCH.refused(refused) : ""];
    setText(this.words, [batch.undone_at ? BATCH.undoneShort : BATCH.done(done, total), ...outcomes].filter(Boolean).join(", "));
    this.words.title = batch.first_error ?? "";
    setText(this.added, shortMoment(batch.created_at));
    this.#showVerbs(name, head, possible(batch));
  }

  #showVerbs(name, { id, failed }, can) {
    const verbs = ["report", failed && "retry", can.stop && "stop", can.undo && "undo"].filter(Boolean);
    const key = `${id} ${verbs.join()}`;
    if (key === this.#verbs) return;
    this.#verbs = key;
    this.actions.replaceChildren(
      ...verbs.map((verb) => {
        const made = iconButton(GLYPHS[verb], `${BATCH.verbs[verb]}: ${name}`, () => this.act(verb, this.head.batch));
        made.tabIndex = -1; // the whole list is one stop of the Tab key; its panel has the same buttons
        return made;
      }),
    );
  }
}

const GLYPHS = { report: "document", retry: "again", stop: "cross", undo: "undo" };
const cell = (kind, ...children) => h("div", { role: "gridcell", class: `cell ${kind}` }, ...children);
