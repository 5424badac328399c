// The part without a face: events of the browser, pairing, and the one place that talks to trayagent.
import { Door } from "./door.js";
import { pageItem, wishes } from "./items.js";
import { itemsOf, makeMenus } from "./menu.js";
import { askHost } from "./native.js";
import { badge, notify, summary } from "./notices.js";
import { changeOptions, chosenOptions } from "./settings.js";
import { TAKEOVER, Takeover } from "./takeover.js";
import { t } from "./text.js";
import { watchTraffic } from "./traffic.js";

const LATEST_COUNT = 5; // downloads that the popup shows

const agent = new Door(chrome.storage.local);
const takeover = new Takeover(agent);

/** Sends items and shows the outcome; what cannot be delivered now is offered again, never lost. */
async function deliver(items, key = crypto.randomUUID()) {
  await badge("busy");
  try {
    const receipt = await agent.send(items, key);
    const outcome = summary(receipt);
    await badge(outcome.look);
    return { ok: true, ...outcome, receipt };
  } catch (error) {
    await badge("bad");
    return { ok: false, reason: error.reason ?? "down", message: error.message };
  }
}

/**
 * For clicks without a window of their own: trouble opens one that offers another try and the browser's
 * own download.
 */
async function deliverOrOffer(items) {
  if (!items.length) return notify({ title: t("nothing_to_send"), message: t("nothing_to_send_why") });
  const key = crypto.randomUUID();
  const outcome = await deliver(items, key);
  if (outcome.ok) return outcome.worth && notify(outcome);
  if (outcome.reason === "refused") return notify({ title: t("not_sent"), message: outcome.message });
  await chrome.storage.session.set({ undelivered: { items, key, ...outcome } });
  await chrome.windows.create({ url: "undelivered.html", type: "popup", width: 460, height: 420 });
}

async function onCommand(command, tab) {
  const target = tab ?? (await chrome.tabs.query({ active: true, currentWindow: true }))[0];
  if (command === "send-page" && target?.url)
    await deliverOrOffer([pageItem(target, wishes(await chosenOptions()))]);
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
  if (page.hostname !== "127.0.0.1" || sender.frameId !== 0) return `failed: ${t("no_pairing_page")}`;
  try {
    const { client } = await agent.pair(port, code, await browserName());
    const answered = new Promise((resolve) => waiting.set(client, resolve));
    await chrome.tabs.create({ url: "options.html#pair" });
    return await answered;
  } catch (error) {
    return `failed: ${error.reason ? error.message : t("down")}`;
  }
}

/** What a person answered, about the pairing that was shown. */
async function pairingAnswered({ yes, asked }) {
  let said = yes ? "done" : `failed: ${t("not_paired_chosen")}`;
  await agent.answer(yes, asked).catch((error) => {
    said = `failed: ${error.message}`;
  });
  if (said === "done") await badge("good");
  waiting.get(asked.client)?.(said);
  waiting.delete(asked.client);
  return said;
}

/**
 * `{state, message, port, host}`: connected, down, unpaired or unanswered; the port is where trayagent
 * listens, as far as is known, and `host` tells whether the browser can start and pair it.
 */
async function connection() {
  try {
    const { port } = await agent.open();
    return { state: "connected", port };
  } catch ({ reason, message }) {
    const found = await askHost({ do: "find" });
    const port = found?.ok ? found.port : reason === "unpaired" ? await agent.somewhere() : null;
    // Nobody can be asked to pair before there is somebody to pair with.
    const state = reason === "unpaired" && !port ? "down" : (reason ?? "down");
    return { state, message: state === "down" ? t("down") : message, port, host: Boolean(found?.ok) };
  }
}

/** Without the host a person presses a button in the dashboard, which only trayagent itself can open. */
async function openDashboard(view = "") {
  const opened = view ? null : await askHost({ do: "dashboard" });
  if (opened?.ok) return;
  const port = await agent.open().then((pairing) => pairing.port, () => agent.somewhere());
  if (port) await chrome.tabs.create({ url: `http://127.0.0.1:${port}/${view}` });
}

/** The answer of an act that may fail, for a page that asked. */
const outcomeOf = (act) =>
  act.then(
    (said) => ({ ok: true, ...said }),
    ({ reason, message }) => ({ ok: false, reason: reason ?? "down", message }),
  );

const TASKS = {
  pair: ({ code }, sender) => pairFrom(sender, String(code)),
  "pairing-answered": pairingAnswered,
  "pair-here": ({ port }) => outcomeOf(browserName().then((name) => agent.pairThroughHost(port, name))),
  connection,
  start: () => askHost({ do: "start" }),
  dashboard: ({ view }) => openDashboard(view),
  open: ({ id, what }) => askHost({ do: "open", id, what }),
  send: ({ items, key }) => deliver(items, key),
  downloads: () => outcomeOf(agent.downloads(LATEST_COUNT).then((downloads) => ({ downloads }))),
  steer: ({ id, verb }) => outcomeOf(agent.steer(id, verb)),
  "sign-ins": () => outcomeOf(agent.signIns().then((found) => ({ found }))),
  "sign-in": ({ source, cookies }) => outcomeOf(agent.signIn(source, cookies)),
  "not-this-time": async () => takeover.leaveNext(),
};
/** What content scripts may ask; all else comes from our own pages. */
const FROM_PAGES = ["pair", "not-this-time"];

function onMessage(message, sender, answer) {
  const ours = sender.url?.startsWith(chrome.runtime.getURL(""));
  const task = ours || FROM_PAGES.includes(message.do) ? TASKS[message.do] : undefined;
  if (!task) return false;
  task(message, sender).then(answer);
  return true;
}

/** Alt on a page can only be seen there, so a script is there as long as downloads are taken over. */
async function followOptions() {
  takeover.start();
  if (!chrome.scripting?.getRegisteredContentScripts) return;
  const { takeover: rules } = await chosenOptions();
  const allowed = await chrome.permissions.contains(TAKEOVER);
  const there = (await chrome.scripting.getRegisteredContentScripts({ ids: ["alt-key"] })).length > 0;
  const script = { id: "alt-key", matches: ["<all_urls>"], js: ["alt-key.js"], runAt: "document_start" };
  if (rules.on && allowed && !there) await chrome.scripting.registerContentScripts([script]);
  if (there && !(rules.on && allowed)) await chrome.scripting.unregisterContentScripts({ ids: ["alt-key"] });
}

/** What was taken back in the browser's own settings is off here, too. */
async function onPermissionsRemoved() {
  const options = await chosenOptions();
  if (options.takeover.on && !(await chrome.permissions.contains(TAKEOVER)))
    await changeOptions({ takeover: { ...options.takeover, on: false } });
}

chrome.runtime.onInstalled.addListener(({ reason }) => {
  makeMenus();
  if (reason === "install") chrome.tabs.create({ url: "options.html#welcome" });
});
chrome.runtime.onStartup.addListener(makeMenus);
chrome.contextMenus.onClicked.addListener((info, tab) => itemsOf(info, tab).then(deliverOrOffer));
chrome.commands.onCommand.addListener(onCommand);
chrome.runtime.onMessage.addListener(onMessage);
chrome.storage.onChanged.addListener((changes) => changes.options && followOptions());
chrome.permissions.onAdded.addListener(followOptions);
chrome.permissions.onRemoved.addListener(onPermissionsRemoved);
chrome.storage.local.setAccessLevel?.({ accessLevel: "TRUSTED_CONTEXTS" });
watchTraffic();
followOptions();
