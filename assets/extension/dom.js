// Elements from words: h("p", { class: "muted", onclick: act }, "text", child).

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name === "class" ? "class" : name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

export const at = (id) => document.getElementById(id);

/** Asks the background; it answers `{ok: false, …}` for what goes wrong. */
export const ask = (message) => chrome.runtime.sendMessage(message);

const SHAPES = {
  video: "M4 5h11a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zm13 5 4-2.5v9L17 14z",
  audio: "M9 18V6l10-2v12M9 18a3 3 0 1 1-6 0 3 3 0 0 1 6 0zm10-2a3 3 0 1 1-6 0 3 3 0 0 1 6 0z",
  image: "M4 4h16v16H4zM4 16l4.5-4.5L13 16l3-3 4 4M15.5 9.5a1.5 1.5 0 1 1-3 0 1.5 1.5 0 0 1 3 0z",
  file: "M6 3h8l5 5v13H6zM14 3v5h5",
  archive: "M4 4h16v5H4zM5 9v11h14V9M10 13h4",
  stream: "M4 12a8 8 0 0 1 16 0M7.5 12a4.5 4.5 0 0 1 9 0M13.5 12a1.5 1.5 0 1 1-3 0 1.5 1.5 0 0 1 3 0zM12 14v6",
  page: "M3 5h18v14H3zM3 9h18M6 7h.01M8.5 7h.01",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 1 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 1 0 11 18.7l1-1",
  send: "M12 4v11m0 0 4.5-4.5M12 15l-4.5-4.5M5 20h14",
  pause: "M9 5v14M15 5v14",
  resume: "M8 5l11 7-11 7z",
  cancel: "M6 6l12 12M18 6 6 18",
  retry: "M4 12a8 8 0 1 0 2.5-5.8M4 4v4.5h4.5",
  open: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  folder: "M3 6h6l2 2h10v11H3z",
};

/** A small drawing that stands for a kind or an action; screen readers skip it. */
export function icon(name) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name] ?? SHAPES.file);
  drawing.append(path);
  return drawing;
}

/** A button that shows a drawing and says its name. */
export function iconButton(name, label, onclick) {
  return h("button", { type: "button", class: "icon", title: label, "aria-label": label, onclick }, icon(name));
}
