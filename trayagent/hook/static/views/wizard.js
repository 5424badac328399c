// “Set up images…”: what to mirror, how to sign in, a look at the first three items, then saving.
import { button, field, h, select, setText } from "../dom.js";
import { moment } from "../format.js";
import { dialog } from "../say.js";
import { EVERY, WIZARD } from "../words-images.js";
import { ByExample } from "./by-example.js";

/** Walks through adding a source; resolves with true once one is saved. */
export function setUp(api, messages) {
  return dialog(WIZARD.title, (close) => new Wizard(api, messages, close).steps(), "wide");
}

/** A name as the settings take it: `My Shots` → `my-shots`. */
export function sourceName(text) {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, "-")
    .replace(/^[-_]+|-+$/g, "")
    .slice(0, 40);
}

class Wizard {
  #turn = 0; // of the looks: a late answer of an earlier one counts no more

  constructor(api, messages, close) {
    Object.assign(this, { api, messages, close });
    this.type = select(WIZARD.types, "flow", { onchange: () => this.#showType() });
    this.name = h("input", { type: "text", value: "flow", maxlength: 60, autocomplete: "off", spellcheck: "false" });
    this.every = select(EVERY, "");
    this.example = new ByExample(api);
    this.text = h("textarea", { class: "mono small", rows: 9, spellcheck: "false", "aria-label": WIZARD.asText });
    this.asText = h("details", { class: "small" }, h("summary", {}, WIZARD.asText), h("p", { class: "muted" }, WIZARD.asTextHint), this.text);
    this.secret = h("textarea", { class: "mono small", rows: 2, spellcheck: "false", autocomplete: "off" });
    this.secretField = field(WIZARD.signIn, this.secret, WIZARD.signInHint);
    this.howTo = h("details", { class: "small" }, h("summary", {}, WIZARD.cookieHow), h("p", {}, WIZARD.cookie));
    this.outcome = h("div", { class: "stack", role: "status" });
    this.save = button(WIZARD.save, () => this.#finish(), { kind: "primary" });
    this.save.disabled = true;
    this.later = button(WIZARD.saveLater, () => this.#saveForLater(), { kind: "quiet" });
  }

  steps() {
    const nameField = field(WIZARD.name, this.name, WIZARD.nameHint);
    const nameHint = nameField.querySelector("p");
    this.form = h(
      "form",
      {
        class: "stack",
        novalidate: true,
        onsubmit: (event) => {
          event.preventDefault();
          this.#look();
        },
      },
      h("div", { class: "fields" }, field(WIZARD.type, this.type), nameField, field(WIZARD.every, this.every)),
      this.example.element,
      this.secretField,
      this.howTo,
      this.asText,
      this.outcome,
      h("div", { class: "buttons" }, button(WIZARD.cancel, () => this.close(null)), this.later, h("button", {}, WIZARD.look), this.save),
    );
    this.form.addEventListener("input", () => {
      this.#turn += 1;
      this.save.disabled = true;
      this.outcome.replaceChildren();
      const name = sourceName(this.name.value);
      setText(nameHint, name && name !== this.name.value ? WIZARD.folderCalled(name) : WIZARD.nameHint);
    });
    this.#showType();
    return [this.form];
  }

  get #isJson() {
    return this.type.value === "json";
  }

  #showType() {
    this.example.element.hidden = this.asText.hidden = !this.#isJson;
    this.howTo.hidden = this.secretField.hidden = this.later.hidden = this.#isJson;
    if (this.#isJson && this.name.value === "flow") this.name.value = "";
  }

  get #secret() {
    return this.#isJson ? this.example.secret : this.secret.value.trim();
  }

  /** The source as the settings have it; throws an Error with a sentence while something is missing. */
  #source() {
    const name = sourceName(this.name.value);
    if (!name) throw new Error(WIZARD.needsName);
    const basics = { name, type: this.type.value, every: this.every.value };
    if (!this.#isJson) return basics;
    const text = this.text.value.trim();
    if (!text) return { ...basics, ...this.example.description() };
    try {
      return { ...basics, ...JSON.parse(text) };
    } catch (error) {
      throw new Error(WIZARD.badText(error.message), { cause: error });
    }
  }

  async #ask(save) {
    try {
      return await this.api.post("sources", { source: this.#source(), secret: this.#secret, save });
    } catch (error) {
      return { error };
    }
  }

  async #look() {
    const turn = (this.#turn += 1);
    if (!this.#isJson && !this.#secret) {
      this.#say(WIZARD.needsSignIn, "bad");
      return this.secret.focus();
    }
    this.#say(WIZARD.looking, "");
    const found = await this.#ask(false);
    if (turn !== this.#turn) return;
    if (found.error) return this.#say([found.error.message, found.error.action].filter(Boolean).join(" "), "bad");
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
      h("p", {}, found.items.length ? `${WIZARD.signedInAs(found.account)}${WIZARD.firstItems}` : WIZARD.emptyLibrary),
      h("ul", { class: "stack" }, cards),
    );
  }

  async #finish() {
    const saved = await this.#ask(true);
    if (saved.error) return this.#say(saved.error.message, "bad");
    this.secret.value = "";
    this.messages.tell(WIZARD.saved, "good");
    await this.messages.trying(() => this.api.post(`sources/${encodeURIComponent(saved.name)}/sync`, { list_only: false }));
    this.close(true);
  }

  async #saveForLater() {
    this.secret.value = "";
    const saved = await this.#ask(true);
    if (saved.error) return this.#say(saved.error.message, "bad");
    this.messages.tell(WIZARD.savedLater(saved.name), "good");
    this.close(true);
  }

  #say(sentence, kind) {
    this.outcome.replaceChildren(h("p", { class: `note ${kind}` }, sentence));
  }
}
