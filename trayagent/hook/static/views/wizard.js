// “Set up images…”: what to mirror, how to sign in, a look at the first three items, then saving.
import { button, field, h, select } from "../dom.js";
import { moment } from "../format.js";
import { dialog } from "../say.js";

const TYPES = [
  ["flow", "Flow (labs.google)"],
  ["json", "Another site with a JSON API"],
];
const EVERY = [
  ["", "Only when I ask"],
  ["1h", "Every hour"],
  ["6h", "Every 6 hours"],
  ["24h", "Once a day"],
];
const FLOW_COOKIE =
  "Sign in at labs.google/fx in your browser, open the developer tools (F12), choose Application or Storage, then " +
  "Cookies, and copy the value of __Secure-next-auth.session-token. It is a key to your account: give it to nobody else.";
const EXAMPLE = `{
  "base": "https://api.example.com",
  "list": { "url": "{base}/items", "query": { "limit": "{page_size}", "cursor": "{cursor}" }, "page_size": 50 },
  "page": { "items": "data.items", "next": "data.next_cursor", "style": "cursor" },
  "item": { "id": "id", "created": "created_at", "url": "file.url" },
  "auth": { "headers": { "Authorization": "Bearer {secret:token}" } }
}`;

/** Walks through adding a source; resolves with true once one is saved. */
export function setUp(api, messages) {
  return dialog("Set up images", (close) => new Wizard(api, messages, close).steps(), "wide");
}

class Wizard {
  constructor(api, messages, close) {
    Object.assign(this, { api, messages, close });
    this.type = select(TYPES, "flow", { onchange: () => this.#showType() });
    this.name = h("input", {
      type: "text",
      value: "flow",
      pattern: "[a-z0-9][a-z0-9_\\-]{0,39}",
      required: true,
      autocomplete: "off",
      spellcheck: "false",
    });
    this.every = select(EVERY, "");
    this.definition = h("textarea", { class: "mono small", rows: 9, spellcheck: "false", value: EXAMPLE });
    this.secret = h("textarea", { class: "mono small", rows: 3, spellcheck: "false", autocomplete: "off" });
    this.definitionField = field(
      "How the site answers",
      this.definition,
      "dotted paths with [0] and *; see the documentation on sources",
    );
    this.howTo = h("details", { class: "small" }, h("summary", {}, "Where to find it"), h("p", {}, FLOW_COOKIE));
    this.outcome = h("div", { class: "stack", role: "status" });
    this.save = button("Save and sync", () => this.#finish(), { kind: "primary" });
    this.save.disabled = true;
  }

  steps() {
    this.form = h(
      "form",
      {
        class: "stack",
        onsubmit: (event) => {
          event.preventDefault();
          this.#look();
        },
      },
      h(
        "div",
        { class: "fields" },
        field("Library", this.type),
        field("Name", this.name, "lower case; also the folder’s name"),
        field("Sync", this.every),
      ),
      this.definitionField,
      field(
        "Sign-in",
        this.secret,
        "A cookie, a Cookie header, cookies.txt, or a token. It is kept in the system keyring.",
      ),
      this.howTo,
      this.outcome,
      h(
        "div",
        { class: "buttons" },
        button("Cancel", () => this.close(null)),
        h("button", {}, "Look at the first items"),
        this.save,
      ),
    );
    this.form.addEventListener("input", () => {
      this.save.disabled = true;
    });
    this.#showType();
    return [this.form];
  }

  #showType() {
    this.definitionField.hidden = this.type.value !== "json";
    this.howTo.hidden = this.type.value !== "flow";
  }

  #source() {
    const basics = { name: this.name.value.trim(), type: this.type.value, every: this.every.value };
    return this.type.value === "json" ? { ...basics, ...JSON.parse(this.definition.value) } : basics;
  }

  async #ask(save) {
    try {
      return await this.api.post("sources", { source: this.#source(), secret: this.secret.value.trim(), save });
    } catch (error) {
      const said = error instanceof SyntaxError ? `The description is not valid JSON: ${error.message}` : error.message;
      this.#say(said, "bad");
      return null;
    }
  }

  async #look() {
    this.#say("Signing in and reading the first page…", "");
    const found = await this.#ask(false);
    if (!found) return;
    if (found.error) return this.#say(`${found.error.message} ${found.error.action ?? ""}`, "bad");
    this.save.disabled = false;
    const cards = found.items.map((item) =>
      h(
        "li",
        { class: "note" },
        h("strong", {}, item.media_key ?? item.name),
        h("p", { class: "small muted" }, [item.kind, moment(item.created_at)].filter(Boolean).join(" · ")),
      ),
    );
    this.outcome.replaceChildren(
      h(
        "p",
        {},
        found.items.length
          ? `${found.account ? `Signed in as ${found.account}. ` : ""}The first items:`
          : "Signed in, but the library is empty.",
      ),
      h("ul", { class: "stack" }, cards),
    );
  }

  async #finish() {
    const saved = await this.#ask(true);
    if (!saved) return;
    this.secret.value = "";
    this.messages.tell("Saved. The first sync starts now.", "good");
    await this.messages.trying(() =>
      this.api.post(`sources/${encodeURIComponent(this.name.value.trim())}/sync`, { list_only: false }),
    );
    this.close(true);
  }

  #say(sentence, kind) {
    this.outcome.replaceChildren(h("p", { class: `note ${kind}` }, sentence));
  }
}

/** Asks for a fresh sign-in of a source; resolves with true when it worked. */
export function logIn(api, messages, { name }) {
  return dialog(`Sign in to ${name}`, (close) => {
    const secret = h("textarea", {
      class: "mono small",
      rows: 4,
      spellcheck: "false",
      required: true,
      "aria-label": "Cookie or token",
    });
    const send = async (event) => {
      event.preventDefault();
      const done = await messages.trying(() =>
        api.post(`sources/${encodeURIComponent(name)}/login`, { secret: secret.value.trim() }),
      );
      if (!done) return;
      messages.tell(`Signed in as ${done.account}.`, "good");
      close(true);
    };
    return [
      h(
        "p",
        {},
        "Paste the site’s session cookie, a Cookie header, cookies.txt or a token. It is kept in the system keyring.",
      ),
      h(
        "form",
        { class: "stack", onsubmit: send },
        secret,
        h(
          "div",
          { class: "buttons" },
          button("Cancel", () => close(null)),
          h("button", { class: "primary" }, "Sign in"),
        ),
      ),
    ];
  });
}
