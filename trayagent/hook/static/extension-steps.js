// How the extension comes into this browser: a button that unpacks it and opens its folder, and the steps after that.
import { button, h } from "./dom.js";

const code = (words) => h("code", {}, words);

/** A step's words; `files` says where things are. */
const STEPS = {
  chromium: ({ chromium }) => [
    ["Open ", code("chrome://extensions"), " in a new tab, and switch on “Developer mode”."],
    ["Choose “Load unpacked” and pick the folder ", code(chromium), "."],
    ["The extension says hello; press “Pair now” there."],
  ],
  firefox: ({ xpi }) => [
    ["Open ", code("about:debugging#/runtime/this-firefox"), " in a new tab."],
    ["Choose “Load Temporary Add-on…” and pick ", code(xpi), "."],
    ["The extension says hello; press “Pair now” there."],
  ],
};

/** A part of a page: the button, and the steps of this browser once it was pressed. */
export function extensionSteps({ api, messages }) {
  const family = navigator.userAgent.includes("Firefox/") ? "firefox" : "chromium";
  const place = h("div", { class: "stack" });
  const install = async () => {
    const files = await messages.trying(() => api.post("extension"));
    if (!files) return;
    place.replaceChildren(
      h("p", {}, "It is in ", code(files.folder), ", which opens now."),
      h("ol", { class: "steps" }, ...STEPS[family](files).map((words) => h("li", {}, ...words))),
    );
  };
  const start = button("Install the extension", install, { kind: "primary", glyph: "plug" });
  place.append(h("div", { class: "buttons" }, start));
  return place;
}
