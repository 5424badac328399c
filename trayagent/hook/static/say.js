// Short messages and questions: the corner that tells, and the dialog that asks.
import { button, h } from "./dom.js";
import { SAY } from "./words.js";

const STAY = 6000; // milliseconds a message stays in sight
const STAY_WITH_BUTTONS = 9000;
const MOST = 4;

/**
 * Messages in the corner, read out by screen readers. While a modal dialog is open they live in it: whatever is outside can
 * be neither pressed nor read out then, also what is drawn above it.
 */
export class Messages {
  #dialogs = new Set(); // those that are open, the topmost last

  constructor(element) {
    this.element = element;
    this.home = element.parentElement;
    // While a dialog opens, not when there is something to say: screen readers read out what comes into a place they know.
    const note = ({ target, newState }) => {
      if (!target.matches("dialog")) return;
      this.#dialogs.delete(target);
      if (newState === "open") this.#dialogs.add(target);
      this.#move();
    };
    document.addEventListener("toggle", note, true);
    document.addEventListener("close", note, true); // before the dialog is taken out of the page, and the messages with it
  }

  #move() {
    const place = [...this.#dialogs].at(-1) ?? this.home;
    if (this.element.parentElement === place) return;
    place.append(this.element);
    if (this.element.children.length) this.element.showPopover(); // what is moved is hidden
  }

  /** Says something; `buttons` are `[words, act]`. Returns what takes the message away. */
  tell(text, kind = "", buttons = []) {
    const row = buttons.map(([words, act]) =>
      button(
        words,
        () => {
          line.remove();
          act();
        },
        { kind: "quiet" },
      ),
    );
    // Said once more, it stands there once: an agent that is gone is noticed by several parts of a view.
    const same = [...this.element.children].find((each) => !row.length && each.textContent === text);
    same?.remove();
    const line = h("div", { class: `message ${kind}` }, h("p", {}, text), row.length ? h("div", { class: "buttons" }, row) : null);
    this.element.append(line);
    while (this.element.children.length > MOST) this.element.firstChild.remove();
    // Shown anew, it lies above a dialog that was opened meanwhile.
    if (this.element.matches(":popover-open")) this.element.hidePopover();
    this.element.showPopover();
    // What holds the pointer or the focus is being read, or about to be clicked.
    const leave = () => {
      if (line.matches(":hover, :focus-within")) setTimeout(leave, 1000);
      else line.remove();
    };
    setTimeout(leave, row.length ? STAY_WITH_BUTTONS : STAY);
    return () => line.remove();
  }

  /** Runs something asked for by a button, and tells when it went wrong. */
  async trying(work) {
    try {
      return await work();
    } catch (error) {
      this.tell(error instanceof TypeError ? SAY.noAnswer : error.message, "bad");
      return undefined;
    }
  }
}

/** Opens a modal dialog around `content`; resolves with what `close(value)` was given, null when it was dismissed. */
export function dialog(title, build, kind = "") {
  return new Promise((resolve) => {
    const heading = h("h2", { id: "dialog-title" }, title);
    const box = h("dialog", { class: `card ${kind}`, "aria-labelledby": "dialog-title" }, heading);
    let answer = null;
    const close = (value) => {
      answer = value;
      box.close();
    };
    box.append(...build(close));
    box.addEventListener("close", () => {
      box.remove();
      resolve(answer);
    });
    document.body.append(box);
    box.showModal();
  });
}

/** A question with buttons that each say what they do; the last one does nothing. */
export async function confirmed(title, sentence, yes, kind = "primary", no = "Cancel") {
  return (
    (await dialog(title, (close) => [
      h("p", {}, sentence),
      h(
        "div",
        { class: "buttons" },
        button(no, () => close(null)),
        button(yes, () => close(true), { kind }),
      ),
    ])) === true
  );
}

/** Asks for one line of text; resolves with it, or null. */
export function asked(title, sentence, yes, properties = {}) {
  return dialog(title, (close) => {
    const input = h("input", { type: "text", "aria-label": title, required: true, ...properties });
    const send = (event) => {
      event.preventDefault();
      close(input.value.trim());
    };
    return [
      h("p", {}, sentence),
      h(
        "form",
        { onsubmit: send },
        input,
        h(
          "div",
          { class: "buttons" },
          button("Cancel", () => close(null)),
          h("button", { class: "primary" }, yes),
        ),
      ),
    ];
  });
}
