// Dialogs about a source that is there: signing in to it, and changing its settings.
import { button, field, h, select } from "../dom.js";
import { dialog } from "../say.js";
import { EVERY, WIZARD } from "../words-images.js";

const TABLES = ["base", "list", "page", "item", "fetch", "auth"]; // of a JSON source

/** Asks for a fresh sign-in of a source; resolves with true when it worked. */
export function logIn(api, messages, { name }) {
  return dialog(WIZARD.logInTo(name), (close) => {
    const secret = h("textarea", { class: "mono small", rows: 4, spellcheck: "false", autocomplete: "off", required: true, "aria-label": WIZARD.secret });
    const problem = h("p", { class: "note bad", role: "alert", hidden: true });
    const send = async (event) => {
      event.preventDefault();
      try {
        const done = await api.post(`sources/${encodeURIComponent(name)}/login`, { secret: secret.value.trim() });
        messages.tell(WIZARD.loggedIn(done.account), "good");
        close(true);
      } catch (error) {
        problem.hidden = false;
        problem.textContent = error.message;
      }
    };
    return [
      h("p", {}, WIZARD.logInText),
      h(
        "form",
        { class: "stack", onsubmit: send },
        secret,
        h("p", { class: "muted small" }, WIZARD.signInHint),
        problem,
        h("div", { class: "buttons" }, button(WIZARD.cancel, () => close(null)), h("button", { class: "primary" }, WIZARD.logIn)),
      ),
    ];
  });
}

/** Changes how often a source is synced and, of a JSON source, how it is read; true when something was saved. */
export function changeSource(api, messages, name, settings) {
  return dialog(
    WIZARD.changeTitle(name),
    (close) => {
      const known = EVERY.some(([value]) => value === settings.every) ? EVERY : [...EVERY, [settings.every, settings.every]];
      const every = select(known, settings.every ?? "");
      const before = JSON.stringify(Object.fromEntries(TABLES.map((key) => [key, settings[key]])), null, 2);
      const text = h("textarea", { class: "mono small", rows: 14, spellcheck: "false", value: before, "aria-label": WIZARD.asText });
      const problem = h("p", { class: "note bad", role: "alert", hidden: true });
      const send = async (event) => {
        event.preventDefault();
        try {
          const tables = text.value === before ? {} : JSON.parse(text.value);
          await api.patch(`sources/${encodeURIComponent(name)}`, { changes: { every: every.value, ...tables } });
          messages.tell(WIZARD.changed(name), "good");
          close(true);
        } catch (error) {
          problem.hidden = false;
          problem.textContent = error instanceof SyntaxError ? WIZARD.badText(error.message) : error.message;
        }
      };
      return [
        h(
          "form",
          { class: "stack", onsubmit: send },
          field(WIZARD.every, every),
          settings.type === "json" ? h("details", { class: "small" }, h("summary", {}, WIZARD.asText), text) : null,
          problem,
          h("div", { class: "buttons" }, button(WIZARD.cancel, () => close(null)), h("button", { class: "primary" }, WIZARD.change)),
        ),
      ];
    },
    "wide",
  );
}
