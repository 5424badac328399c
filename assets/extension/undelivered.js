// Something clicked could not be handed over: try again, or let the browser download it.
import { showConnection } from "./connection.js";
import { ask, at, h } from "./dom.js";
import { byBrowser } from "./fallback.js";
import { t, translate } from "./text.js";

async function forget() {
  await chrome.storage.session.remove("undelivered");
  window.close();
}

async function start() {
  translate();
  const { undelivered } = await chrome.storage.session.get("undelivered");
  if (!undelivered) return window.close();
  const { items, key, message } = undelivered;
  at("why").textContent = message;
  at("what").replaceChildren(...items.map(({ url }) => h("li", {}, url)));
  at("again").addEventListener("click", async () => {
    const said = await ask({ do: "send", items, key });
    if (said.ok) return forget();
    at("why").textContent = said.message;
    await look();
  });
  at("browser").addEventListener("click", async () => {
    at("why").textContent = await byBrowser(items.map(({ url }) => url));
    await forget();
  });
  at("close").addEventListener("click", forget);
  await look();
}

/** The button that mends it; where it has, what was clicked can be sent. */
function look() {
  return showConnection(at("connection"), ({ state }) => {
    at("connection").hidden = state === "connected";
    if (state === "connected") at("why").textContent = t("can_be_sent_now");
  });
}

start();
