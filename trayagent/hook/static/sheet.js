// On a narrow screen the panel of a row is a sheet over the page; what lies behind it is out of reach meanwhile.
import { setAttribute } from "./dom.js";

const NARROW = matchMedia("(max-width: 46rem)"); // as in list.css, where the panels become sheets

/**
 * Holds whichever of `panels` is open above the page. The focus goes into it: behind it nobody would see where it is.
 * A click beside it tells it `close`, and so does Escape where nothing has the focus.
 */
export class Sheet {
  #panels;
  #behind = [];

  /** Each of the panels is `{element, …}` and an event target. */
  constructor(panels) {
    this.#panels = panels;
    NARROW.addEventListener("change", () => this.update());
    document.getElementById("shell").addEventListener("click", ({ target }) => {
      // What is inert passes its clicks on to what it lies in. An inert target is the one that has just opened the sheet.
      const open = this.#behind.length && !target.closest("[inert]") ? this.#open() : null;
      if (open && !open.element.contains(target)) open.dispatchEvent(new Event("close"));
    });
    // Behind its last control the keys go to the page as a whole, where the panel does not hear them.
    document.addEventListener("keydown", ({ key, target }) => {
      if (key === "Escape" && target === document.body && this.#behind.length) this.#open()?.dispatchEvent(new Event("close"));
    });
  }

  /** A panel has been opened, or closed. */
  update() {
    const panel = NARROW.matches ? this.#open()?.element : null;
    const behind = panel ? besides(panel) : [];
    // Whoever cannot reach the page's own heading hears the sheet's as the first one.
    for (const { element } of this.#panels) setAttribute(element.querySelector("h2"), "aria-level", element === panel ? "1" : "2");
    for (const each of this.#behind) each.inert = false;
    for (const each of behind) each.inert = true;
    this.#behind = behind;
    if (panel && !panel.contains(document.activeElement)) panel.focus({ preventScroll: true });
  }

  #open() {
    return this.#panels.find(({ element }) => element.isConnected && !element.hidden);
  }
}

/** All elements beside this one, and beside what it lies in, as far as the whole page. */
function besides(element) {
  const found = [];
  for (let each = element; each.id !== "shell"; each = each.parentElement)
    found.push(...[...each.parentElement.children].filter((other) => other !== each));
  return found;
}
