// What happens when all is done, chosen each time, and the countdown that can be stopped.
import { button, h } from "./dom.js";
import { Menu } from "./menu.js";
import { DONE } from "./words.js";

export class WhenDone {
  #now = { plan: "nothing", ends_at: null };
  #timer = 0;

  constructor({ api, board, messages }) {
    Object.assign(this, { api, messages });
    this.menu = new Menu(DONE.menu, "check", () => this.#choices());
    this.element = this.menu.element;
    this.element.classList.add("when-done");
    this.left = h("p", { role: "timer" });
    this.box = h(
      "dialog",
      { class: "card", "aria-labelledby": "done-title", oncancel: () => this.#choose("nothing") },
      h("h2", { id: "done-title" }, DONE.title),
      this.left,
      h("div", { class: "buttons" }, button(DONE.stop, () => this.#choose("nothing"), { kind: "primary" })),
    );
    document.body.append(this.box);
    board.addEventListener("event", ({ detail }) => detail.name === "done.changed" && this.#take(detail.data));
    this.#read();
  }

  async #read() {
    this.#take(await this.api.get("when-done").catch(() => null));
  }

  #choices() {
    return Object.entries(DONE.plans).map(([plan, words]) => [words, () => this.#choose(plan), { chosen: plan === this.#now.plan }]);
  }

  async #choose(plan) {
    this.#take(await this.messages.trying(() => this.api.post("when-done", { plan })));
  }

  #take(now) {
    if (!now) return;
    this.#now = now;
    this.menu.say(now.plan === "nothing" ? DONE.menu : DONE.then(DONE.plans[now.plan]));
    this.element.classList.toggle("chosen", now.plan !== "nothing");
    clearInterval(this.#timer);
    if (!now.ends_at) return this.box.close();
    const tick = () => {
      const seconds = Math.max(0, Math.round((Date.parse(this.#now.ends_at) - Date.now()) / 1000));
      this.left.textContent = DONE.left(DONE.plans[this.#now.plan], seconds);
    };
    tick();
    this.#timer = setInterval(tick, 1000);
    if (!this.box.open) this.box.showModal();
  }
}
