// The toolbar popup: the way in, this page, what is on it, and what is going on.
import { showConnection } from "./connection.js";
import { cookiesFor, granted, wanted } from "./cookies.js";
import { ask, at, h } from "./dom.js";
import { byBrowser } from "./fallback.js";
import { Going, openHere } from "./going.js";
import { Here } from "./here.js";
import { isWeb, item, pageItem, wishes } from "./items.js";
import { chosenOptions } from "./settings.js";
import { offerSignIn } from "./sign-in.js";
import { isTakingOver, setTakeover } from "./takeover.js";
import { t, translate } from "./text.js";

let tab = null;
let ticks = 0; // how often the box of the sign-in was ticked or unticked

const going = new Going(at("going-part"), at("going"), (download) => send([{ url: download.url, again: true }]));
const here = new Here(
  {
    part: at("here-part"),
    nothing: at("nothing"),
    tabs: at("tabs"),
    filter: at("filter"),
    list: at("here"),
    all: at("all"),
    send: at("send"),
  },
  (found) => send(found.map(({ url, kind }) => item(url, tab, { kind, ...(kind === "page" ? wished() : {}) }))),
);

const wished = () => wishes({ quality: at("quality").value, subtitles: at("subtitles").value });

function showState({ state }) {
  const words = { connected: "connected", down: "not_running", unpaired: "not_paired", unanswered: "not_paired" };
  at("state").textContent = t(words[state]);
  at("state").className = `state small ${state === "connected" ? "good" : "bad"}`;
  at("connection").hidden = state === "connected";
  if (state !== "connected") return;
  going.follow();
  offerSignIn(at("sign-in"), tab);
}

function tell(text, look, ...buttons) {
  at("outcome").replaceChildren(text, ...buttons);
  at("outcome").className = `note row ${look}`;
  at("outcome").hidden = false;
}

/** The first await asks the user, while the click still counts; then cookies are added and everything is sent. */
async function send(items) {
  if (at("cookies").checked) {
    if (!(await granted(wanted(items.map(({ url }) => url))))) return tell(t("no_sign_in"), "bad");
    for (const each of items) each.cookies = await cookiesFor(each.url, tab);
  }
  tell(t("sending"), "");
  const said = await ask({ do: "send", items, key: crypto.randomUUID() });
  if (said.ok) return showReceipt(said, items);
  const browser = h("button", { type: "button", id: "browser" }, t("let_browser"));
  browser.addEventListener("click", async () => tell(await byBrowser(items.map(({ url }) => url)), "good"));
  tell(said.message, "bad", ...(said.reason === "refused" ? [] : [browser]));
}

/** Ticked: the browser asks its user for this site, and the cookies that would go along are named. */
async function nameCookies() {
  const tick = (ticks += 1);
  if (!at("cookies").checked) return tell(t("sign_in_stays"), "");
  const isGranted = await granted(wanted([tab.url]));
  if (tick !== ticks) return; // ticked, or unticked, once more: nothing is named that would not go along
  at("cookies").checked = isGranted;
  if (!isGranted) return tell(t("no_sign_in"), "bad");
  const names = (await cookiesFor(tab.url, tab)).map(({ name }) => name);
  if (tick !== ticks) return;
  const { host } = new URL(tab.url);
  tell(names.length ? t("cookies_named", host, names.join(", ")) : t("no_cookies", host), "");
}

/** What was accepted shows below by itself; only what we had, or what was refused, needs words. */
async function showReceipt({ title, message, look, receipt }, items) {
  const refused = new Set(receipt.rejected.map(({ index }) => items[index]?.url));
  const known = receipt.downloads.filter(({ duplicate_of: before }) => before);
  here.mark(
    items.map(({ url }) => url).filter((url) => !refused.has(url)),
    known.length && known.length === receipt.downloads.length ? t("already_here") : t("sent"),
  );
  const words = [title, message].filter(Boolean).join(": ");
  if (known.length && known.length === receipt.downloads.length) tell(words, "good", ...knownActs(known[0], items));
  else tell(words, look);
  await going.follow();
}

function knownActs({ duplicate_of: id }, items) {
  const open = h("button", { type: "button", id: "open-known" }, t("open"));
  open.addEventListener("click", () => openHere(id));
  const again = h("button", { type: "button", id: "again" }, t("again"));
  again.addEventListener("click", () => send(items.map((each) => ({ ...each, again: true }))));
  return [open, again];
}

function showPage({ quality, subtitles, takeover }) {
  at("quality").value = quality;
  at("subtitles").value = subtitles;
  at("title").textContent = tab?.title ?? "";
  at("send-page").disabled = !isWeb(tab?.url);
  at("host").textContent = isWeb(tab?.url) ? new URL(tab.url).host : t("page_not_sendable");
  at("catch").checked = isTakingOver(takeover);
}

async function switchTakeover() {
  at("catch").checked = await setTakeover(at("catch").checked);
}

/** An update has replaced the folder from which we were loaded: begin again with what is there now. */
async function beginAgainIfReplaced() {
  const answer = await fetch(chrome.runtime.getURL("manifest.json"));
  const { version } = await answer.json();
  if (version !== chrome.runtime.getManifest().version) chrome.runtime.reload();
}

async function start() {
  const asked = [chrome.tabs.query({ active: true, currentWindow: true }), chosenOptions()];
  translate();
  const [[active], options] = await Promise.all(asked);
  tab = active;
  showPage(options);
  performance.mark("shown");
  at("send-page").addEventListener("click", () => send([pageItem(tab, wished())]));
  at("catch").addEventListener("change", switchTakeover);
  at("cookies").addEventListener("change", nameCookies);
  at("dashboard").addEventListener("click", () => ask({ do: "dashboard" }));
  at("options").addEventListener("click", () => chrome.runtime.openOptionsPage());
  beginAgainIfReplaced();
  await Promise.all([showConnection(at("connection"), showState), isWeb(tab?.url) ? here.look(tab) : null]);
}

start();
