// What a newcomer sees once: what this is, four things worth setting up, and a first download.
import { button, h, icon } from "../dom.js";

export class WelcomeView {
  title = "Welcome";

  constructor(parts) {
    Object.assign(this, parts);
    this.element = h("div", { class: "view welcome" });
  }

  async show() {
    this.element.replaceChildren(h("p", {}, icon("down"), button("Downloads", () => (location.hash = "#all"))));
  }
}
