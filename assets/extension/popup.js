// The toolbar popup: this page, the media found on it, and what became of sending them.
import { cookiesFor, granted, wanted } from "./cookies.js";
import { byBrowser } from "./fallback.js";
import { isWeb, item, pageItem, wishes } from "./items.js";
import { askSizes, mediaOf } from "./media.js";

const WORDS = { video: "Video", audio: "Sound", stream: "Stream", page: "Player" };
const KINDS = { video: "video", audio: "audio", stream: "page", page: "page" };
const at = (id) => document.getElementById(id);
const ask = (message) => chrome.runtime.sendMessage(message);

let tab = null;
let media = [];

function size(bytes) {
  if (!bytes) return "";
  const unit = Math.min(3, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** unit).toFixed(unit > 1 ? 1 : 0)} ${["B", "kB", "MB", "GB"][unit]}`;
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function line({ url, kind, name, size: bytes }) {
  const address = new URL(url);
  const box = document.createElement("input");
  box.type = "checkbox";
  box.value = url;
  box.addEventListener("change", count);
  const words = make("div", "grow", "");
  const file = decodeURI(address.pathname.split("/").pop() || address.host);
  words.append(make("p", "name cut", name || file), make("p", "muted small cut", address.host));
  const label = document.createElement("label");
  const bytesShown = make("span", "muted small size", size(bytes));
  label.append(box, words, bytesShown, make("span", "tag", WORDS[kind] ?? kind));
  label.title = url;
  const entry = document.createElement("li");
  entry.append(label);
  entry.dataset.url = url;
  return entry;
}

const boxes = () => [...at("media").querySelectorAll("input")];
const chosen = () =>
  boxes()
    .filter(({ checked }) => checked)
    .map(({ value }) => value);

function count() {
  const number = chosen().length;
  at("send").disabled = !number;
  at("send").textContent = number > 1 ? `Send ${number} selected` : "Send selected";
  at("send").classList.toggle("primary", number > 0);
  at("all").checked = number > 0 && number === media.length;
}

function tell(text, kind) {
  at("outcome").textContent = text;
  at("outcome").className = `note ${kind}`;
  at("outcome").hidden = false;
}

/** Says whether trayagent can be reached, and what to do when it cannot. */
async function showState() {
  const { ok, reason, message } = await ask({ do: "check" });
  at("state").textContent = ok ? "Connected" : reason.startsWith("un") ? "Not paired" : "Not running";
  at("state").className = `state small ${ok ? "good" : "bad"}`;
  at("trouble").hidden = ok;
  if (ok) return;
  const next =
    {
      unpaired: "Click the tray icon → “Send from browser…”, or run: trayagent pair",
      unanswered: "",
    }[reason] ?? "Start it, or let the browser download.";
  at("trouble").textContent = `${message} ${next}`;
}

async function showMedia() {
  media = await mediaOf(tab);
  at("media").replaceChildren(...media.map(line));
  at("found-part").hidden = !media.length;
  at("nothing").hidden = media.length > 0;
  if (media.length === 1) boxes()[0].checked = true;
  count();
  await askSizes(tab, media, (url, bytes) => {
    const entry = at("media").querySelector(`li[data-url="${CSS.escape(url)}"] .size`);
    if (entry) entry.textContent = size(bytes);
  });
}

/** The first await asks the user, while the click still counts; then cookies are added and everything is sent. */
async function send(items) {
  if (at("cookies").checked) {
    if (!(await granted(wanted(items.map(({ url }) => url)))))
      return tell("Without your permission the sign-in stays in the browser.", "bad");
    for (const each of items) each.cookies = await cookiesFor(each.url);
  }
  tell("Sending…", "");
  const said = await ask({ do: "send", items, key: crypto.randomUUID() });
  tell(
    said.ok ? [said.title, said.message].filter(Boolean).join(" — ") : said.message,
    said.ok && said.look === "good" ? "good" : "bad",
  );
  at("browser").hidden = said.ok || said.reason === "refused";
  at("browser").onclick = async () => tell(await byBrowser(items.map(({ url }) => url)), "good");
}

const wished = () => wishes({ quality: at("quality").value, subtitles: at("subtitles").value });

function sendChosen() {
  const kinds = new Map(media.map(({ url, kind }) => [url, KINDS[kind]]));
  return send(
    chosen().map((url) =>
      item(url, tab, { kind: kinds.get(url), ...(kinds.get(url) === "page" ? wished() : {}) }),
    ),
  );
}

async function start() {
  [tab] = await chrome.tabs.query({ active: true, currentWindow: true });
  const { options = {} } = await chrome.storage.local.get("options");
  at("quality").value = options.quality ?? "";
  at("subtitles").value = options.subtitles ?? "";
  at("title").textContent = tab?.title ?? "";
  at("send-page").disabled = !isWeb(tab?.url);
  at("host").textContent = isWeb(tab?.url) ? new URL(tab.url).host : "This page cannot be sent.";
  at("send-page").addEventListener("click", () => send([pageItem(tab, wished())]));
  at("send").addEventListener("click", sendChosen);
  at("all").addEventListener("change", () => {
    boxes().forEach((box) => {
      box.checked = at("all").checked;
    });
    count();
  });
  await Promise.all([showState(), isWeb(tab?.url) ? showMedia() : null]);
}

start();
