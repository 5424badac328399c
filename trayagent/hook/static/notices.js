// What notifications say, on the page too, with the same buttons.
import { sound } from "./sound.js";

const OPENS = { open: "file", folder: "folder" };

export class Notices {
  constructor({ api, board, messages, acts }) {
    Object.assign(this, { api, messages, acts });
    board.addEventListener("event", ({ detail: { name, data } }) => {
      if (name === "notice") this.#tell(data);
    });
  }

  #tell({ title, body, actions = [] }) {
    sound();
    const buttons = actions
      .filter(({ do: what }) => what in OPENS || what === "retry" || what === "why" || what === "batch")
      .map(({ label, do: what, id }) => [label, () => this.messages.trying(() => this.#follow(what, id))]);
    this.messages.tell([title, body].filter(Boolean).join(" — "), "", buttons);
  }

  #follow(what, id) {
    if (what in OPENS) return this.acts.show(id, OPENS[what]);
    if (what === "retry") return this.acts.retry(id.split(" ").map((each) => ({ id: each })));
    location.hash = `#${id}`;
    return null;
  }
}
