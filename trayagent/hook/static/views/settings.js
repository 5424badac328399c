// The settings, written to config.toml by the agent with its comments kept.
import { button, field, h, select, section } from "../dom.js";
import { GROUPS } from "./settings-fields.js";

export class SettingsView {
  title = "Settings";
  #controls = new Map();

  constructor({ config, messages }) {
    Object.assign(this, { config, messages });
    this.problems = h("p", { class: "note bad problems", role: "alert", hidden: true });
    this.form = h("form", { class: "view", onsubmit: (event) => this.#save(event) });
    this.element = this.form;
  }

  async show() {
    await this.messages.trying(() => this.config.load());
    this.#build();
  }

  #build() {
    this.#controls.clear();
    const parts = GROUPS.map(([title, fields]) =>
      section(
        title,
        h(
          "div",
          { class: "card pad fields" },
          fields.map((each) => this.#field(each)),
        ),
      ),
    );
    const save = h(
      "div",
      { class: "save-bar" },
      h("button", { class: "primary" }, "Save"),
      button("Undo changes", () => this.#build(), { kind: "quiet" }),
    );
    this.problems.hidden = true;
    this.form.replaceChildren(...parts, this.problems, save);
  }

  #field({ key, words, kind, hint = "", choices = [], min, max }) {
    const value = this.config.at(key);
    const control =
      kind === "choice"
        ? select(withCurrent(choices, value), String(value ?? ""))
        : kind === "check"
          ? h("input", { type: "checkbox", checked: value === true })
          : h("input", {
              type: kind,
              min,
              max,
              value: Array.isArray(value) ? value.join(", ") : String(value ?? ""),
              autocomplete: "off",
              spellcheck: "false",
            });
    const read = () =>
      kind === "check" ? control.checked : kind === "number" ? control.valueAsNumber : control.value.trim();
    this.#controls.set(key, { read, before: read(), list: Array.isArray(value) });
    return kind === "check"
      ? h("label", { class: "check" }, control, `${words}${hint ? ` (${hint})` : ""}`)
      : field(words, control, hint);
  }

  async #save(event) {
    event.preventDefault();
    const changes = {};
    for (const [key, { read, before, list }] of this.#controls) {
      const value = read();
      if (Object.is(value, before)) continue;
      const [part, name] = key.split(".");
      (changes[part] ??= {})[name] = list
        ? value
            .split(",")
            .map((each) => each.trim())
            .filter(Boolean)
        : numeric(key, value);
    }
    if (!Object.keys(changes).length) return this.messages.tell("Nothing changed.");
    try {
      await this.config.save(changes);
      this.messages.tell("Saved.", "good");
      this.#build();
    } catch (error) {
      this.problems.textContent = error.message;
      this.problems.hidden = false;
    }
  }
}

const withCurrent = (choices, value) =>
  value === undefined || choices.some(([each]) => each === String(value))
    ? choices
    : [...choices, [String(value), String(value)]];
const numeric = (key, value) => (key === "downloads.segments" && value !== "auto" ? Number(value) : value);
