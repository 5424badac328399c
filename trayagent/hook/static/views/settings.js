// The settings, written to config.toml by the agent with its comments kept; each problem stands at its field.
import { button, h, icon, section } from "../dom.js";
import { isSoundOn, setSound } from "../sound.js";
import { GROUPS, SETTINGS, plainProblem } from "../words-settings.js";
import { Elsewhere } from "./elsewhere.js";
import { controlOf } from "./settings-controls.js";

const KEY = /\b([a-z]+\.[a-z_]+)/;

export class SettingsView {
  title = SETTINGS.title;
  #fields = new Map(); // by key: {control, before, error, field}

  constructor({ api, config, messages }) {
    Object.assign(this, { api, config, messages });
    this.problems = h("p", { class: "note bad problems", role: "alert", hidden: true });
    this.form = h("form", { class: "view settings", novalidate: true, onsubmit: (event) => this.#save(event) });
    this.session = h("input", { type: "checkbox", onchange: () => this.#setSession() });
    this.sound = h("input", { type: "checkbox", onchange: () => setSound(this.sound.checked) });
    this.elsewhere = new Elsewhere({ api, config, messages });
    this.element = this.form;
  }

  async show() {
    const [, session] = await Promise.all([
      this.messages.trying(() => this.config.load()),
      this.messages.trying(() => this.api.get("desktop/autostart")),
    ]);
    this.session.checked = session?.on === true;
    this.sound.checked = isSoundOn();
    this.elsewhere.show();
    this.#build();
  }

  #build() {
    this.#fields.clear();
    const parts = GROUPS.map(([title, fields]) => section(title, h("div", { class: "card pad fields" }, fields.map((each) => this.#field(each)))));
    const link = (href, glyph, words) => h("a", { href }, icon(glyph), " ", words);
    const computer = section(
      SETTINGS.session,
      h(
        "div",
        { class: "card pad stack" },
        h("label", { class: "check" }, this.session, SETTINGS.autostart),
        h("p", {}, link("#images", "images", SETTINGS.sources)),
        h("p", {}, link("#browsers", "globe", SETTINGS.clients)),
      ),
    );
    const page = section(SETTINGS.page, h("div", { class: "card pad" }, h("label", { class: "check" }, this.sound, SETTINGS.sound)));
    const bar = h(
      "div",
      { class: "save-bar" },
      h("button", { class: "primary" }, SETTINGS.save),
      button(SETTINGS.undo, () => this.#build(), { kind: "quiet" }),
      this.problems,
    );
    this.problems.hidden = true;
    this.form.replaceChildren(...parts, this.elsewhere.element, page, computer, bar);
  }

  #field(field) {
    const control = controlOf(field, this.config.at(field.key), { chooseFolder: (start) => this.#choose(start) });
    const id = `s-${field.key.replace(".", "-")}`;
    const { input } = control;
    input.id = id;
    const error = h("p", { class: "small trouble", id: `${id}-error`, hidden: true });
    const said = [field.hint, field.restart ? SETTINGS.restart : ""].filter(Boolean).join("; ");
    const hint = said ? h("p", { class: "muted small", id: `${id}-hint` }, said) : null;
    input.setAttribute("aria-describedby", `${id}-error${hint ? ` ${id}-hint` : ""}`);
    this.#fields.set(field.key, { control, error, field, before: JSON.stringify(control.read()) });
    const isGroup = ["hours", "days", "sites"].includes(field.kind);
    const words = isGroup ? h("span", { class: "label" }, field.words) : h("label", { for: id }, field.words);
    if (field.kind === "check") return h("div", { class: "field" }, h("label", { class: "check" }, input, field.words), hint, error);
    return h("div", { class: `field kind-${field.kind}` }, words, control.element, error, hint);
  }

  /** A folder from this computer's own dialog; null where none was chosen. */
  async #choose(start) {
    const answer = await this.messages.trying(() => this.api.post("desktop/choose-folder", { start }));
    return answer?.folder ?? null;
  }

  async #setSession() {
    const wanted = this.session.checked;
    const state = await this.messages.trying(() => this.api.post("desktop/autostart", { on: wanted }));
    this.session.checked = state?.on ?? !wanted;
  }

  async #save(event) {
    event.preventDefault();
    this.#forgetProblems();
    const changes = {};
    let isForRestart = false;
    for (const [key, { control, before, field }] of this.#fields) {
      const value = control.read();
      if (JSON.stringify(value) === before) continue;
      const [part, name] = key.split(".");
      // Sites stand right in their section; everything else under its own name.
      if (key === "folders.sites") Object.assign((changes[part] ??= {}), value);
      else (changes[part] ??= {})[name] = value;
      isForRestart ||= Boolean(field.restart);
    }
    if (!Object.keys(changes).length) return this.messages.tell(SETTINGS.nothing);
    try {
      await this.config.save(changes);
      this.messages.tell(isForRestart ? SETTINGS.savedForRestart : SETTINGS.saved, "good");
      this.#build();
    } catch (error) {
      this.#showProblems(error);
    }
  }

  /** Each line of the agent's answer at the field that it is about; what is about none stands by the button. */
  #showProblems(error) {
    const lines = (error.body?.error?.message ?? error.message).split("\n");
    const loose = [];
    let first = null;
    let marked = 0;
    for (const line of lines) {
      const key = KEY.exec(line)?.[1];
      const found = this.#fields.get(key) ?? (line.startsWith("folders ") || key?.startsWith("folders.") ? this.#fields.get("folders.sites") : null);
      if (!found) {
        loose.push(line);
        continue;
      }
      found.error.hidden = false;
      found.error.textContent = [found.error.textContent, plainProblem(key ?? "folders", line)].filter(Boolean).join(" ");
      found.control.input.setAttribute("aria-invalid", "true");
      first ??= found.control.input;
      marked += 1;
    }
    this.problems.hidden = false;
    this.problems.textContent = [marked ? SETTINGS.wrong(marked) : "", ...loose].filter(Boolean).join("\n");
    first?.focus();
  }

  #forgetProblems() {
    this.problems.hidden = true;
    for (const { error, control } of this.#fields.values()) {
      error.hidden = true;
      error.textContent = "";
      control.input.removeAttribute("aria-invalid");
    }
  }
}
