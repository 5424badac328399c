// Checking what was saved: reads every file again and says what changed, moved or went missing.
import { button, h, setText } from "../dom.js";
import { count } from "../format.js";

export class Verify {
  constructor({ api, board, messages }) {
    Object.assign(this, { api, messages });
    this.bar = h("progress", { max: 1, "aria-label": "Progress of the check" });
    this.words = h("p", { class: "numbers", role: "status" });
    const stop = button("Stop", () => this.#stop(), { glyph: "cross" });
    this.stop = h("div", { class: "buttons" }, stop);
    this.findings = h("ul", { class: "small" });
    this.element = h("div", { class: "card pad stack", hidden: true }, this.words, this.bar, this.stop, this.findings);
    board.addEventListener("event", ({ detail }) => {
      if (detail.name.startsWith("verify.")) this.#paint(detail.data);
    });
  }

  async show() {
    const report = await this.messages.trying(() => this.api.get("verify"));
    if (report?.state === "running") this.#paint(report);
  }

  /** What comes of it arrives as events. */
  async start() {
    await this.messages.trying(() => this.api.post("verify"));
  }

  async #stop() {
    await this.messages.trying(() => this.api.delete("verify"));
  }

  #paint({ state, total, checked, ok, changed, moved, missing, elsewhere, findings }) {
    this.element.hidden = state === "none";
    this.bar.hidden = this.stop.hidden = state !== "running";
    this.bar.value = total ? checked / total : 0;
    const odd = [
      [changed, "changed"],
      [moved, "moved"],
      [missing, "missing"],
      [elsewhere, "elsewhere, not checked"],
    ].flatMap(([number, word]) => (number ? [`${number.toLocaleString()} ${word}`] : []));
    const done =
      state === "running" ? `Checking ${checked} of ${count(total, "file")}…` : `${count(ok, "file")} as saved`;
    if (state === "cancelled") odd.unshift("stopped early");
    setText(this.words, [done, ...odd].join(" · "));
    this.findings.replaceChildren(...findings.slice(0, 50).map(finding));
  }
}

function finding({ what, path, found }) {
  return h("li", {}, h("strong", {}, `${what}: `), h("span", { class: "mono" }, found ? `${path} → ${found}` : path));
}
