// The part without a face: menus, the shortcut, pairing, and the one place that talks to trayagent.
import { cookiesFor, granted, wanted } from "./cookies.js";
import { Door } from "./door.js";
import { clicked, item, pageItem, wishes } from "./items.js";
import { badge, notify, summary } from "./outcome.js";
import { watchTraffic } from "./traffic.js";

const MENUS = [
  ["media", "Download this &video or sound", ["video", "audio"]],
  ["image", "Download this &picture", ["image"]],
  ["link", "Download this lin&k", ["link"]],
  ["page", "Download the video of this pa&ge", ["page", "frame"]],
  ["cookies", "Download with this site’s sign-&in", ["video", "audio", "image", "link", "page"]],
];

const door = new Door(chrome.storage.local);

/** Sends items and shows the outcome; what cannot be delivered now is offered again, never lost. */
async function deliver(items, key = crypto.randomUUID()) {
  await badge("busy");
  try {
    const said = summary(await door.send(items, key));
    await badge(said.look);
    await notify(said);
    return { ok: true, ...said };
  } catch (error) {
    await badge("bad");
    return { ok: false, reason: error.reason ?? "down", message: error.message };
  }
}

/** For clicks without a window of their own: trouble opens one that offers another try and the browser's own download. */
async function deliverOrOffer(items) {
  const key = crypto.randomUUID();
  const said = await deliver(items, key);
  if (said.ok) return;
  if (said.reason === "refused") return notify({ title: "Not downloaded", message: said.message });
  await chrome.storage.session.set({ undelivered: { items, key, ...said } });
  await chrome.windows.create({ url: "undelivered.html", type: "popup", width: 460, height: 420 });
}

async function onMenu(info, tab) {
  const found = clicked(info, tab);
  const page = { url: tab?.url ?? info.pageUrl, title: tab?.title };
  // The browser asks its user only while the click still counts, so nothing is awaited before.
  const allowed = info.menuItemId === "cookies" && found && granted(wanted([found.url]));
  if (!found) return notify({ title: "Nothing to download", message: "This has no web address. Try the page itself." });
  const extras = { kind: found.kind };
  if (found.kind === "page") Object.assign(extras, wishes(await options()));
  if (await allowed) extras.cookies = await cookiesFor(found.url);
  await deliverOrOffer([item(found.url, page, extras)]);
}

async function onCommand(command, tab) {
  const target = tab ?? (await chrome.tabs.query({ active: true, currentWindow: true }))[0];
  if (command === "send-page" && target?.url)
    await deliverOrOffer([pageItem(target, wishes(await options()))]);
}

async function options() {
  const { options: chosen = {} } = await chrome.storage.local.get("options");
  return chosen;
}

async function browserName() {
  const { os } = await chrome.runtime.getPlatformInfo();
  const [, name] = navigator.userAgent.match(/(Firefox|Edg|OPR|Chrome)\//) ?? [];
  const system = { linux: "Linux", mac: "macOS", win: "Windows", android: "Android", cros: "ChromeOS" }[os] ?? os;
  return `${{ Edg: "Edge", OPR: "Opera", Chrome: "Chrome or Chromium" }[name] ?? name ?? "Browser"} on ${system}`;
}

/** Pages that wait to hear what a person answered, by the client they asked for. */
const waiting = new Map();

/** A pairing page asks: a person is asked whether to send to that port, every time. */
async function pairFrom(sender, code) {
  const page = new URL(sender.url);
  const port = Number(page.port || 80);
  if (page.hostname !== "127.0.0.1" || sender.frameId !== 0) return "failed: This is not a pairing page.";
  try {
    const { client } = await door.pair(port, code, await browserName());
    const answered = new Promise((resolve) => waiting.set(client, resolve));
    await chrome.tabs.create({ url: "options.html#pair" });
    return await answered;
  } catch (error) {
    return `failed: ${error.reason ? error.message : "trayagent did not answer."}`;
  }
}

/** What a person answered, about the pairing that was shown. */
async function pairingAnswered({ yes, asked }) {
  let said = yes ? "done" : "failed: You chose not to pair.";
  await door.answer(yes, asked).catch((error) => {
    said = `failed: ${error.message}`;
  });
  if (said === "done") await badge("good");
  waiting.get(asked.client)?.(said);
  waiting.delete(asked.client);
  return said;
}

const TASKS = {
  pair: ({ code }, sender) => pairFrom(sender, String(code)),
  "pairing-answered": pairingAnswered,
  check: () =>
    door.open().then(
      ({ port }) => ({ ok: true, port }),
      ({ reason, message }) => ({ ok: false, reason: reason ?? "down", message }),
    ),
  send: ({ items, key }) => deliver(items, key),
};

function onMessage(message, sender, answer) {
  const ours = sender.url?.startsWith(chrome.runtime.getURL(""));
  const task = message.do === "pair" || ours ? TASKS[message.do] : undefined;
  if (!task) return false;
  task(message, sender).then(answer);
  return true;
}

function makeMenus() {
  chrome.contextMenus.removeAll(() => {
    for (const [id, title, contexts] of MENUS) chrome.contextMenus.create({ id, title, contexts });
  });
}

chrome.runtime.onInstalled.addListener(makeMenus);
chrome.runtime.onStartup.addListener(makeMenus);
chrome.contextMenus.onClicked.addListener(onMenu);
chrome.commands.onCommand.addListener(onCommand);
chrome.runtime.onMessage.addListener(onMessage);
chrome.storage.local.setAccessLevel?.({ accessLevel: "TRUSTED_CONTEXTS" });
watchTraffic();
