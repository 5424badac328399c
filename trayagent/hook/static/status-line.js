// The agent's state in one line, and the buttons that pause and resume the whole queue.
import { button, h, icon, setText } from "./dom.js";
import { moment, size } from "./format.js";

const untilTomorrow = () => {
  const now = new Date();
  return Math.ceil((new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1) - now) / 60000);
};
const CHOICES = [
  ["For 30 minutes", () => 30],
  ["For 1 hour", () => 60],
  ["Until tomorrow", untilTomorrow],
  ["Until I resume", () => null],
];

export class StatusLine {
  constructor({ api, board, messages }, { line, tools, banner }) {
    Object.assign(this, { api, board, messages, line, banner });
    this.resume = button("Resume", () => this.#post("resume", {}), { kind: "primary", glyph: "play" });
    this.menu = h(
      "details",
      { class: "menu" },
      h("summary", { class: "button" }, icon("pause"), "Pause"),
      h(
        "div",
        { class: "menu-body card" },
        CHOICES.map(([words, minutes]) => button(words, () => this.#pause(minutes()), { kind: "quiet" })),
      ),
    );
    this.menu.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        this.menu.open = false;
        this.menu.firstChild.focus();
      }
    });
    document.addEventListener("click", (event) => {
      if (!this.menu.contains(event.target)) this.menu.open = false;
    });
    tools.replaceChildren(this.menu, this.resume);
    board.addEventListener("status", () => this.paint());
    board.addEventListener("downloads", () => this.paint());
    board.addEventListener("event", ({ detail }) => {
      if (detail.name === "notice") messages.tell([detail.data.title, detail.data.body].filter(Boolean).join(" — "));
    });
    this.paint();
  }

  paint() {
    const { status } = this.board;
    const active = this.board.rows("active");
    const speed = active.reduce((sum, download) => sum + (download.speed ?? 0), 0);
    const said = [active.length ? `${active.length} downloading` : "Idle"];
    if (speed) said.push(`${size(speed)}/s`);
    if (status.queued) said.push(`${status.queued.toLocaleString()} waiting`);
    if (status.failed) said.push(`${status.failed.toLocaleString()} failed`);
    if (status.paused) said[0] = status.paused_until ? `Paused until ${moment(status.paused_until)}` : "Paused";
    setText(this.line, said.join(" · "));
    this.line.dataset.state = status.paused ? "paused" : active.length ? "active" : "idle";
    this.menu.hidden = status.paused;
    this.resume.hidden = !status.paused;
  }

  /** Says when the agent does not answer. */
  connected(yes) {
    this.banner.hidden = yes;
    setText(this.banner, yes ? "" : "trayagent does not answer. Trying again…");
  }

  async #pause(minutes) {
    this.menu.open = false;
    await this.#post("pause", minutes === null ? {} : { minutes });
  }

  async #post(path, body) {
    const done = await this.messages.trying(() => this.api.post(path, body));
    if (done === undefined) return;
    this.board.status = { ...this.board.status, ...(await this.api.get("status")) };
    this.paint();
  }
}
