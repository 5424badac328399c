// The options page: connection, video pages, access; and the question before pairing.
import { TRAFFIC } from "./traffic.js";

const at = (id) => document.getElementById(id);
const ask = (message) => chrome.runtime.sendMessage(message);

/** The question that stands on the page: only that one is answered. */
let shown = null;

async function showLink() {
  const { ok, port, message } = await ask({ do: "check" });
  at("link").textContent = ok ? `Connected to trayagent on port ${port}.` : message;
  at("link").className = `note ${ok ? "good" : ""}`;
}

async function showAsked() {
  const { asked } = await chrome.storage.local.get("asked");
  shown = asked ? { port: asked.port, client: asked.client } : null;
  at("asked").hidden = !asked;
  if (asked)
    at("asked-text").textContent =
      `A program on port ${asked.port} of this computer asks to receive what you send, sign-ins included. Pair only if you just asked trayagent to.`;
}

async function answer(yes) {
  if (!shown) return;
  const said = await ask({ do: "pairing-answered", yes, asked: shown });
  await showAsked();
  await showLink();
  if (yes && said.startsWith("failed")) at("link").textContent = said.replace(/^failed: /, "");
}

async function start() {
  const { options = {} } = await chrome.storage.local.get("options");
  for (const name of ["quality", "subtitles"]) {
    at(name).value = options[name] ?? "";
    at(name).addEventListener("change", () => {
      options[name] = at(name).value.trim();
      chrome.storage.local.set({ options });
    });
  }
  at("traffic").checked = await chrome.permissions.contains(TRAFFIC);
  at("traffic").addEventListener("change", async () => {
    const change = at("traffic").checked ? "request" : "remove";
    await chrome.permissions[change](TRAFFIC);
    at("traffic").checked = await chrome.permissions.contains(TRAFFIC);
  });
  at("accept").addEventListener("click", () => answer(true));
  at("decline").addEventListener("click", () => answer(false));
  at("forget").addEventListener("click", async () => {
    await chrome.storage.local.remove(["pairing", "asked"]);
    await showAsked();
    await showLink();
  });
  // Another pairing page may ask while this one is open.
  chrome.storage.onChanged.addListener(({ asked }) => asked && showAsked());
  await Promise.all([showAsked(), showLink()]);
}

start();
