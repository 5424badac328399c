// What a newcomer sees once: what this is, a first download, and four things worth setting up.
import { button, h, icon, setText } from "../dom.js";
import { SAY, WELCOME } from "../words.js";

export class WelcomeView {
  title = WELCOME.title;
  #tried = null; // the id of the test download
  #isOver = false; // it has ended, and that was shown

  constructor({ api, board, messages, acts, config }) {
    Object.assign(this, { api, board, messages, acts, config });
    this.first = h("div", { class: "buttons" });
    this.outcome = h("p", { class: "small", role: "status" });
    this.browser = h("p", { class: "small" });
    this.session = h("input", { type: "checkbox", onchange: () => this.#setSession(this.session.checked) });
    this.element = h(
      "div",
      { class: "view welcome" },
      h("p", { class: "lead" }, WELCOME.what),
      h(
        "ul",
        { class: "cards welcome-cards" },
        step("down", WELCOME.try, h("p", {}, WELCOME.tryText), this.outcome, this.first),
        step(
          "plug",
          WELCOME.extension,
          h("p", {}, WELCOME.extensionText),
          this.browser,
          h("a", { class: "button", href: "#browsers" }, WELCOME.extensionStart),
        ),
        step(
          "globe",
          WELCOME.bookmark,
          h("p", {}, WELCOME.bookmarkText),
          h("a", { class: "button", href: "#browsers" }, WELCOME.bookmarkStart),
        ),
        step(
          "folder",
          WELCOME.drop,
          h("p", {}, WELCOME.dropText(config.at("drop.folder") ?? "")),
          button(WELCOME.dropStart, () => this.#open("drop"), { glyph: "folder" }),
        ),
        step(
          "play",
          WELCOME.session,
          h("p", {}, WELCOME.sessionText),
          h("label", { class: "check" }, this.session, WELCOME.sessionOn),
        ),
      ),
      h("p", {}, h("a", { class: "button primary", href: "#all" }, WELCOME.done)),
    );
    board.addEventListener("changed", ({ detail }) => {
      const now = detail.find(({ id }) => id === this.#tried);
      if (now) this.#showTried(now);
    });
  }

  async show() {
    if (!this.#tried) this.#offer();
    const [clients, session] = await Promise.all([
      this.messages.trying(() => this.api.get("clients")),
      this.messages.trying(() => this.api.get("desktop/autostart")),
    ]);
    const isPaired = clients?.clients.some(({ kind }) => kind === "extension");
    setText(this.browser, isPaired ? WELCOME.extensionDone : "");
    this.session.checked = session?.on ?? false;
  }

  #offer() {
    this.first.replaceChildren(button(WELCOME.tryStart, () => this.#try(), { kind: "primary", glyph: "down" }));
  }

  /** A file of the agent's own: it comes without a network, and ends where all others end. */
  async #try() {
    const receipt = await this.messages.trying(() => this.api.post("desktop/first"));
    if (!receipt) return;
    const [download] = receipt.downloads;
    this.#tried = download.id;
    this.#isOver = false;
    this.first.replaceChildren();
    setText(this.outcome, WELCOME.trying);
    // It may have been quicker than this answer.
    this.#showTried(await this.api.get(`downloads/${download.id}`));
  }

  /** Once: the answer and the event both tell of the end, and a button made anew would lose the focus. */
  #showTried({ id, state, path, error }) {
    if (this.#isOver || !["failed", "completed"].includes(state)) return undefined;
    this.#isOver = true;
    if (state === "failed") {
      setText(this.outcome, `${error.message} ${error.action}`);
      return this.#offer();
    }
    setText(this.outcome, WELCOME.tried(path));
    const open = (what) => this.messages.trying(() => this.acts.show(id, what));
    return this.first.replaceChildren(
      button(WELCOME.openFolder, () => open("folder"), { kind: "primary", glyph: "folder" }),
    );
  }

  #open(folder) {
    return this.messages.trying(() => this.api.post("desktop/folder", { folder }));
  }

  async #setSession(on) {
    const now = await this.messages.trying(() => this.api.post("desktop/autostart", { on }));
    this.session.checked = now?.on ?? !on;
    if (now) this.messages.tell(SAY.changed, "good");
  }
}

const step = (glyph, title, ...content) =>
  h("li", { class: "card pad stack" }, h("div", { class: "card-head" }, icon(glyph), h("h2", {}, title)), content);
