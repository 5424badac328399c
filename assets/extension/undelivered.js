// Something clicked could not be handed over: try again, or let the browser download it.
import { byBrowser } from "./fallback.js";

const NEXT = {
  down: "Start trayagent, then try again.",
  unpaired: "Pair it: click the tray icon → “Send from browser…”, or run: trayagent pair",
};
const at = (id) => document.getElementById(id);

function explain({ reason, message }) {
  at("why").textContent = `${message} ${NEXT[reason] ?? ""}`;
}

async function start() {
  const { undelivered } = await chrome.storage.session.get("undelivered");
  if (!undelivered) return window.close();
  const { items, key } = undelivered;
  explain(undelivered);
  at("what").replaceChildren(
    ...items.map(({ url }) => Object.assign(document.createElement("li"), { textContent: url })),
  );
  at("again").addEventListener("click", async () => {
    const said = await chrome.runtime.sendMessage({ do: "send", items, key });
    if (!said.ok) return explain(said);
    await forget();
  });
  at("browser").addEventListener("click", async () => {
    at("why").textContent = await byBrowser(items.map(({ url }) => url));
    await forget();
  });
  at("close").addEventListener("click", forget);
}

async function forget() {
  await chrome.storage.session.remove("undelivered");
  window.close();
}

start();
