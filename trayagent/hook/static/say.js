// Short messages and questions: the corner that tells, and the dialog that asks.
import { button, h } from "./dom.js";

const STAY = 6000; // milliseconds a message stays in sight

/** Messages in the corner, read out by screen readers. */
export class Messages {
  constructor(element) {
    this.element = element;
  }

  tell(text, kind = "") {
    const line = h("p", { class: `message ${kind}` }, text);
    this.element.append(line);
    while (this.element.children.length > 4) this.element.firstChild.remove();
    setTimeout(() => line.remove(), STAY);
  }

  /** Runs something asked for by a button, and tells when it went wrong. */
  async trying(work) {
    try {
      return await work();
    } catch (error) {
      this.tell(error instanceof TypeError ? "trayagent does not answer." : error.message, "bad");
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

/** A yes-or-no question; resolves with true only for yes. */
export async function confirmed(title, sentence, yes, kind = "primary") {
  return (
    (await dialog(title, (close) => [
      h("p", {}, sentence),
      h(
        "div",
        { class: "buttons" },
        button("Cancel", () => close(null)),
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
