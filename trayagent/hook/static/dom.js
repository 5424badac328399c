// Making elements. Data only ever becomes text or attributes, never markup.

/** An element: `h("p", {class: "small"}, "text", child)`; `on…` properties are listeners, null children are skipped. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) set(element, name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "data") Object.assign(element.dataset, value);
  else if (name === "value") element.value = value;
  else element.setAttribute(name, value === true ? "" : value);
}

/** One of the line icons in index.html; silent for screen readers. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A button that shows words. */
export function button(words, onclick, { kind = "", glyph = "" } = {}) {
  return h("button", { type: "button", class: kind, onclick }, glyph ? icon(glyph) : null, words);
}

/** A button that shows an icon and says its words to screen readers and on hover. */
export function iconButton(glyph, words, onclick, kind = "quiet") {
  return h(
    "button",
    { type: "button", class: `only-icon ${kind}`, title: words, "aria-label": words, onclick },
    icon(glyph),
  );
}

/** Puts text into an element only when it changed, so that nothing flickers or is read out twice. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute only when it changed: each change costs the browser a look at all styles. */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** A labelled field: `field("Folder", input, "inside the downloads folder")`. */
export function field(words, control, hint = "") {
  control.id ||= `f-${crypto.randomUUID()}`;
  const note = hint ? h("p", { class: "muted small", id: `${control.id}-hint` }, hint) : null;
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, words), control, note);
}

/** A drop-down: `select([["", "Any"], ["best", "Best"]], "best")`. */
export function select(choices, chosen, properties = {}) {
  return h(
    "select",
    { ...properties },
    choices.map(([value, words]) => h("option", { value, selected: value === chosen }, words)),
  );
}

/** A headed part of a view, with its buttons beside the heading. */
export function section(title, content, ...tools) {
  return h(
    "section",
    { class: "part", "aria-label": title },
    h("div", { class: "part-head" }, h("h2", {}, title), h("div", { class: "buttons" }, tools)),
    content,
  );
}
