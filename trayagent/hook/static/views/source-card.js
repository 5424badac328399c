// One image library among the sources: what it has, how its sync goes, and its buttons.
import { button, h, icon, setText } from "../dom.js";
import { ago } from "../format.js";
import { Menu } from "../menu.js";
import { ALBUM } from "../words-images.js";

/** Is made once and painted again and again: a button that is made anew under the pointer loses its click. */
export class SourceCard {
  /** `acts` are `{sync, logIn, browse, choices}`; the last one tells what its menu offers. */
  constructor(name, acts) {
    this.facts = h("p", { class: "muted small" });
    this.bar = h("progress", { "aria-label": ALBUM.syncingSource(name), hidden: true });
    this.tally = h("p", { class: "small numbers" });
    this.last = h("p", { class: "small muted" });
    this.syncWords = h("span");
    this.syncButton = button(this.syncWords, acts.sync, { kind: "primary", glyph: "again" });
    this.signIn = button(ALBUM.signIn, acts.logIn, { glyph: "key" });
    this.browse = button(ALBUM.browse, acts.browse);
    this.element = h(
      "li",
      { class: "card source", data: { source: name } },
      h("div", { class: "card-head" }, icon("images"), h("div", { class: "grow" }, h("h3", {}, name), this.facts)),
      this.bar,
      this.tally,
      this.last,
      h("div", { class: "buttons" }, this.syncButton, this.signIn, this.browse, new Menu(ALBUM.more, "", acts.choices).element),
    );
  }

  /** `run` is the sync as its events tell it, if any did; `isOnly`: there is no other source to turn to. */
  paint(source, { facts, run, isChosen, isOnly }) {
    const isRunning = source.last_run?.state === "running";
    this.element.dataset.chosen = String(isChosen);
    setText(this.facts, facts);
    this.bar.hidden = !isRunning;
    if (run?.wanted) {
      this.bar.max = run.wanted;
      this.bar.value = run.fetched + run.failed;
    } else this.bar.removeAttribute("value"); // it moves, and says not how far
    setText(this.tally, ALBUM.tally(source));
    setText(this.last, lastRun(source.last_run, run));
    setText(this.syncWords, isRunning ? ALBUM.syncing : ALBUM.sync);
    this.syncButton.disabled = isRunning;
    this.signIn.hidden = source.signed_in;
    this.browse.hidden = isOnly;
  }
}

function lastRun(run, told) {
  if (!run) return ALBUM.never;
  if (run.state === "running")
    return told?.wanted ? ALBUM.arriving(told.fetched + told.failed, told.wanted) : ALBUM.reading(run.pages || 1, run.seen ?? 0);
  if (run.suspicious) return ALBUM.suspicious;
  const outcome = [ALBUM.outcomes[run.state] ?? run.state, run.new ? ALBUM.fresh(run.new) : ""].filter(Boolean).join(", ");
  const error = run.error ? ` ${run.error.message ?? run.error} ${run.error.action ?? ""}` : "";
  return `${ALBUM.last(ago(run.started_at), outcome)}${error}`;
}
