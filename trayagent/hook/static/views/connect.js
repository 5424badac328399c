// The address and secret for programs that speak aria2's or MeTube's language; off until one is asked for.
import { button, field, h } from "../dom.js";
import { dialog } from "../say.js";
import { CONNECT } from "../words-settings.js";

/** Buttons that make a connection; `changed` is called when there is one more. */
export function connectButtons({ api, messages }, changed) {
  return Object.entries(CONNECT.kinds).map(([kind, words]) =>
    button(CONNECT.make(words), () => connect(api, messages, kind, words, changed), { glyph: "key" }),
  );
}

async function connect(api, messages, kind, words, changed) {
  const made = await messages.trying(() => api.post("clients", { kind }));
  if (!made) return;
  changed();
  await dialog(CONNECT.title(words), (close) => [
    h("p", {}, CONNECT.text),
    shown(CONNECT.address, made.url, messages),
    made.secret && kind === "aria2" ? shown(CONNECT.secret, made.secret, messages) : "",
    h("div", { class: "buttons" }, button(CONNECT.done, () => close(true), { kind: "primary" })),
  ]);
}

function shown(words, value, messages) {
  const input = h("input", { type: "text", readonly: true, class: "mono", value });
  const copy = button(CONNECT.copy, async () => {
    await navigator.clipboard.writeText(value);
    messages.tell(CONNECT.copied);
  });
  copy.setAttribute("aria-label", `${CONNECT.copy}: ${words}`);
  return h("div", { class: "with-button" }, field(words, input), copy);
}
