// The head of the page: how fast everything goes, a graph of the last minute, the limit, and the pause of the queue.
import { button, h, setText } from "../dom.js";
import { moment, size } from "../format.js";
import { Graph } from "../graph.js";
import { Menu } from "../menu.js";
import { SpeedModes } from "../speed-modes.js";
import { WhenDone } from "../when-done.js";
import { PAUSES, SAY } from "../words.js";

export class Speed {
  constructor(parts, { line, tools, banner }) {
    const { api, board, messages } = parts;
    Object.assign(this, { api, board, messages, line, banner });
    this.modes = new SpeedModes(parts);
    this.modes.addEventListener("change", () => this.paint());
    this.figure = h("span", { class: "figure" });
    this.words = h("span", {});
    this.graph = new Graph(SAY.speedOf);
    line.replaceChildren(this.graph.element, this.figure, this.words);
    this.limit = new Menu(SAY.full, "gauge", () => this.modes.choices());
    this.pause = new Menu(SAY.pauseMenu, "pause", () => PAUSES.map(([words, minutes]) => [words, () => this.#pause(minutes())]));
    this.resume = button(SAY.resume, () => this.#post("resume", {}), { kind: "primary", glyph: "play" });
    tools.replaceChildren(this.limit.element, this.pause.element, this.resume, new WhenDone(parts).element);
    for (const what of ["status", "moved", "second"]) board.addEventListener(what, () => this.paint());
    this.paint();
  }

  paint() {
    const { status, speed, active } = this.board;
    const until = status.paused_until ? SAY.pausedUntil(moment(status.paused_until)) : SAY.paused;
    const said = [status.paused ? until : active.size ? SAY.running(active.size, status.workers) : SAY.idle];
    if (status.queued) said.push(SAY.waiting(status.queued.toLocaleString()));
    setText(this.figure, active.size ? `${size(speed)}/s` : "");
    setText(this.words, said.join(" · "));
    this.graph.show(this.board.speeds);
    this.line.dataset.state = status.paused ? "paused" : active.size ? "active" : "idle";
    this.pause.element.hidden = status.paused;
    this.resume.hidden = !status.paused;
    this.limit.say(this.modes.words);
    document.title = speed ? `${size(speed)}/s · ${SAY.title}` : document.title.replace(/^.*\/s · /, "");
  }

  /** Says when the agent does not answer. */
  connected(yes) {
    this.banner.hidden = yes;
    setText(this.banner, yes ? "" : SAY.noAnswerTrying);
  }

  async #pause(minutes) {
    await this.#post("pause", minutes === null ? {} : { minutes });
  }

  async #post(path, body) {
    const status = await this.messages.trying(() => this.api.post(path, body));
    if (!status) return;
    this.board.status = { ...this.board.status, ...status };
    this.paint();
  }
}
