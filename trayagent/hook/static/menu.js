// A button that opens a small list of choices.
import { button, h, icon, setText } from "./dom.js";

/** `new Menu("Pause", "pause", () => [["For an hour", act], …])`; its choices are made whenever it opens. */
export class Menu {
  constructor(words, glyph, choices, properties = {}) {
    this.words = h("span", { class: "menu-words" }, words);
    this.opener = h("summary", { class: "button", ...properties }, glyph ? icon(glyph) : null, this.words, icon("more"));
    this.say(words);
    this.body = h("div", { class: "menu-body card" });
    this.element = h("details", { class: "menu" }, this.opener, this.body);
    this.element.addEventListener("toggle", () => {
      if (!this.element.open) return;
      this.body.replaceChildren(...choices().map((choice) => this.#choice(choice)));
    });
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    document.addEventListener("click", (event) => {
      if (!this.element.contains(event.target)) this.element.open = false;
    });
  }

  say(words) {
    setText(this.words, words);
    // Where there is little room only the icon is seen.
    this.opener.setAttribute("aria-label", words);
    this.opener.title = words;
  }

  #choice([words, act, { kind = "quiet", chosen = false } = {}]) {
    const made = button(
      words,
      () => {
        this.element.open = false;
        act();
      },
      { kind },
    );
    if (chosen) made.setAttribute("aria-pressed", "true");
    return made;
  }

  #onKey(event) {
    const choices = [...this.body.children];
    const at = choices.indexOf(document.activeElement);
    if (event.key === "Escape" && this.element.open) {
      this.element.open = false;
      this.opener.focus();
    } else if (event.key === "ArrowDown" && this.element.open) choices[(at + 1) % choices.length].focus();
    else if (event.key === "ArrowUp" && this.element.open) choices.at(at < 1 ? -1 : at - 1).focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
