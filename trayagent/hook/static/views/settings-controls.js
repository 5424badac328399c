// One control for each kind of setting: its element, and `read()` for the value as config.toml has it.
import { button, h, iconButton, select } from "../dom.js";
import { SETTINGS } from "../words-settings.js";

const plain = (properties) => h("input", { autocomplete: "off", spellcheck: "false", ...properties });

const withCurrent = (choices, value) =>
  value === undefined || choices.some(([each]) => each === String(value)) ? choices : [...choices, [String(value), String(value)]];

/** `{element, input, read}`; `input` is what takes the label, the focus and the mark of an error. */
export function controlOf(field, value, { chooseFolder }) {
  const make = MAKERS[field.kind];
  return make(field, value, chooseFolder);
}

const MAKERS = {
  text(field, value) {
    const isList = Array.isArray(value);
    const input = plain({ type: "text", value: isList ? value.join(", ") : String(value ?? "") });
    const list = () =>
      input.value
        .split(",")
        .map((each) => each.trim())
        .filter(Boolean);
    return { element: input, input, read: () => (isList ? list() : input.value.trim()) };
  },

  number({ min, max }, value) {
    const input = plain({ type: "number", min, max, value: String(value ?? "") });
    return { element: input, input, read: () => input.valueAsNumber };
  },

  choice({ choices }, value) {
    const input = select(withCurrent(choices, value), String(value ?? ""));
    const hasNumbers = typeof value === "number" || choices.some(([each]) => each === "auto");
    const read = () => (hasNumbers && input.value !== "auto" ? Number(input.value) : input.value);
    return { element: input, input, read };
  },

  check(field, value) {
    const input = h("input", { type: "checkbox", checked: value === true });
    return { element: input, input, read: () => input.checked };
  },

  folder({ words }, value, chooseFolder) {
    const input = plain({ type: "text", value: String(value ?? ""), title: String(value ?? "") });
    const choose = button(SETTINGS.choose, async () => {
      const chosen = await chooseFolder(input.value.trim());
      if (!chosen) return;
      input.value = input.title = chosen;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    choose.setAttribute("aria-label", SETTINGS.chooseFor(words));
    return { element: h("div", { class: "with-button" }, input, choose), input, read: () => input.value.trim() };
  },

  /** `08:00-18:00`, or nothing while one of the two is empty. */
  hours(field, value) {
    const [begin = "", end = ""] = String(value ?? "").split(/\s*-\s*/);
    const from = h("input", { type: "time", value: begin.padStart(5, "0").replace(/^00000$/, ""), "aria-label": `${field.words}: ${SETTINGS.from}` });
    const to = h("input", { type: "time", value: end === "24:00" ? "00:00" : end.padStart(5, "0").replace(/^00000$/, ""), "aria-label": `${field.words}: ${SETTINGS.to}` });
    const element = h("div", { class: "with-button", role: "group", "aria-label": field.words }, from, SETTINGS.to, to);
    return { element, input: from, read: () => (from.value && to.value ? `${from.value}-${to.value}` : "") };
  },

  /** `mon, tue`; every day is the same as none. */
  days(field, value) {
    const chosen = daysOf(String(value ?? ""));
    const boxes = Object.entries(SETTINGS.days).map(([day, words]) => [day, h("input", { type: "checkbox", checked: chosen.includes(day) }), words]);
    const element = h(
      "div",
      { class: "days-of-week", role: "group", "aria-label": field.words },
      boxes.map(([, box, words]) => h("label", { class: "check" }, box, words)),
    );
    const read = () => {
      const ticked = boxes.filter(([, box]) => box.checked).map(([day]) => day);
      return ticked.join(", ") === chosen.join(", ") ? String(value ?? "") : ticked.join(", ");
    };
    return { element, input: boxes[0][1], read };
  },

  /** Lines of site and folder; what was taken out is null, so that it leaves the file. */
  sites(field, value, chooseFolder) {
    const before = value ?? {};
    const lines = h("div", { class: "stack" });
    const add = (site = "", path = "") => {
      const name = plain({ type: "text", value: site, placeholder: "example.com", "aria-label": SETTINGS.site });
      const control = MAKERS.folder({ words: SETTINGS.siteFolder }, path, chooseFolder);
      control.input.setAttribute("aria-label", SETTINGS.siteFolder);
      const line = h("div", { class: "site-line" }, name, control.element, iconButton("cross", SETTINGS.removeSite(site), () => line.remove()));
      line.read = () => [name.value.trim().toLowerCase(), control.read()];
      lines.append(line);
      return name;
    };
    for (const [site, path] of Object.entries(before)) add(site, path);
    const more = button(SETTINGS.addSite, () => add().focus(), { glyph: "plus", kind: "quiet" });
    const read = () => {
      const now = Object.fromEntries([...lines.children].map((line) => line.read()).filter(([site, path]) => site && path));
      const gone = Object.keys(before).filter((site) => !(site in now));
      return { ...now, ...Object.fromEntries(gone.map((site) => [site, null])) };
    };
    const element = h("div", { class: "stack", role: "group", "aria-label": field.words }, lines, more);
    return { element, input: more, read };
  },
};

/** `mon-fri` → the five names; what cannot be read is none. */
function daysOf(text) {
  const names = Object.keys(SETTINGS.days);
  return names.filter((day, at) =>
    text
      .toLowerCase()
      .split(/[,\s]+/)
      .some((part) => {
        const [first, last = first] = part.split("-").map((each) => names.indexOf(each.slice(0, 3)));
        if (first < 0 || last < 0) return false;
        return first <= last ? first <= at && at <= last : at >= first || at <= last;
      }),
  );
}
