// The first view: what is going on, what went wrong, what just arrived.
import { AddBox, listButton } from "./add-box.js";
import { query } from "./api.js";
import { button, h, setText } from "./dom.js";
import { count } from "./format.js";
import { Rows } from "./rows.js";

export class QueueView {
  title = "Queue";

  constructor({ api, board, messages, acts, adder }) {
    Object.assign(this, { api, board, messages });
    this.live = new Rows(acts.run, "Current downloads");
    this.failed = new Rows(acts.run, "Failed downloads");
    this.recent = new Rows(acts.run, "Recently saved");
    this.more = h("p", { class: "muted small" });
    this.empty = h(
      "div",
      { class: "empty" },
      h("p", { class: "empty-title" }, "Nothing to do"),
      h("p", { class: "muted" }, "Paste a link above, drop a list here, or send a page from your browser."),
    );
    this.troubles = section(
      "Needs you",
      this.failed.element,
      button("Retry all", () => this.#retryAll(), { glyph: "again" }),
    );
    this.arrivals = section("Just saved", this.recent.element, h("a", { href: "#history" }, "Whole history"));
    this.element = h(
      "div",
      { class: "view" },
      h("div", { class: "add-row" }, new AddBox(adder).element),
      section("Now", h("div", {}, this.live.element, this.more, this.empty), ...listButton(adder)),
      this.troubles,
      this.arrivals,
    );
    board.addEventListener("downloads", () => this.paint());
    board.addEventListener("status", () => this.paint());
  }

  show() {
    this.paint();
  }

  paint() {
    const live = this.board.rows("active", "paused", "queued");
    const failed = this.board.rows("failed");
    const recent = this.board.rows("completed").slice(0, 8);
    this.live.show(live);
    this.failed.show(failed);
    this.recent.show(recent);
    this.empty.hidden = live.length > 0;
    this.troubles.hidden = !failed.length;
    this.arrivals.hidden = !recent.length;
    const hidden = (this.board.status?.queued ?? 0) - live.filter(({ state }) => state === "queued").length;
    setText(this.more, hidden > 0 ? `and ${count(hidden, "more download")} waiting` : "");
  }

  async #retryAll() {
    await this.messages.trying(async () => {
      for (const id of await this.#failedIds()) await this.api.post(`downloads/${id}/retry`);
    });
  }

  /** All that failed, also what is not in sight. */
  async #failedIds() {
    const ids = [];
    let after = null;
    do {
      const page = await this.api.get(`downloads${query({ state: "failed", limit: 500, after })}`);
      ids.push(...page.downloads.map(({ id }) => id));
      after = page.next;
    } while (after);
    return ids;
  }
}

/** A headed part of a view, with its buttons beside the heading. */
export function section(title, content, ...tools) {
  return h(
    "section",
    { class: "part", "aria-label": title },
    h("div", { class: "part-head" }, h("h2", {}, title), h("div", { class: "buttons" }, tools)),
    content,
  );
}
