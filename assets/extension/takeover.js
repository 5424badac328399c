// Takes over downloads that the browser has begun, when its user switched that on in the options.
//
//   created → does a rule say no? ─yes→ the browser goes on
//           → held; sent to trayagent ─not accepted→ let go: the browser goes on
//           → trayagent has begun or finished ─→ the browser's is cancelled and forgotten
//           → trayagent has failed, or waits for another try ─→ forgotten there, let go here
//           → the browser was quicker ─→ forgotten there
//
// So nothing is lost, and nothing is fetched twice for the user: at most the first bytes are. Chromium
// pauses a download on its connection. Firefox would break it off, and without proof from the server
// could not go on: there the browser's runs on until trayagent has begun.
import { cookiesFor } from "./cookies.js";
import { isWeb, item } from "./items.js";
import { badge } from "./notices.js";
import { changeOptions, chosenOptions } from "./settings.js";

/** Asked for when it is switched on: the downloads, what they need to be repeated, and where they come from. */
export const TAKEOVER = { permissions: ["cookies", "downloads", "webRequest"], origins: ["<all_urls>"] };

/** Whether it is switched on and allowed: what may not be done is not there. */
export const isTakingOver = ({ on }) => on && Boolean(chrome.downloads && chrome.cookies && chrome.webRequest);

/**
 * Switches it on or off; answers whether it is on. The browser asks its user first, while the click
 * still counts, and the popup may not outlive its question: so the wish is written down meanwhile.
 */
export async function setTakeover(wish) {
  const asked = wish && chrome.permissions.request(TAKEOVER).catch(() => false);
  const change = async (on) => changeOptions({ takeover: { ...(await chosenOptions()).takeover, on } });
  await change(wish);
  const on = Boolean(await asked);
  if (on !== wish) await change(on);
  return on;
}

const KIND_OF_NAME = {
  video: /\.(mp4|m4v|webm|mkv|mov|avi|flv|ogv)$/i,
  audio: /\.(mp3|m4a|ogg|oga|opus|wav|flac|aac)$/i,
  image: /\.(jpe?g|png|gif|webp|avif|bmp|tiff?|heic|svg)$/i,
  archive: /\.(zip|7z|rar|tar|t?gz|t?bz2|t?xz|zst|iso|img|dmg)$/i,
  program: /\.(exe|msi|deb|rpm|appimage|apk|jar|pkg)$/i,
  document: /\.(pdf|epub|mobi|docx?|xlsx?|pptx?|od[tsp]|rtf|csv|txt)$/i,
};
export const KINDS = [...Object.keys(KIND_OF_NAME), "other"];

const ALT_COUNTS_MS = 3000; // after a click for which Alt was held
const BEGIN_MS = 15_000; // in which trayagent should have begun
const LOOK_EVERY_MS = 150;
const CLOCK_MS = 200; // to which browsers may round their clock

/** What a download is, by its name or else by what the server says. */
export function kindOf({ filename = "", url, mime = "" }) {
  const path = URL.canParse(url) ? new URL(url).pathname : "";
  for (const name of [filename, path])
    for (const [kind, pattern] of Object.entries(KIND_OF_NAME)) if (pattern.test(name)) return kind;
  const [first] = mime.split("/");
  return ["video", "audio", "image"].includes(first) ? first : "other";
}

/** Why a download stays with the browser, or null: it may be taken. Pure. */
export function reasonToLeave(download, rules, { method = "GET", altHeld = false } = {}) {
  const url = download.finalUrl || download.url;
  const size = download.totalBytes > 0 ? download.totalBytes : download.fileSize;
  if (!rules.on) return "off";
  if (altHeld) return "alt";
  if (download.state && download.state !== "in_progress") return "over";
  if (download.byExtensionId) return "asked by an extension";
  if (download.incognito) return "private window";
  if (!isWeb(url)) return "not repeatable"; // blob:, data:, filesystem:
  if (method !== "GET") return "not repeatable"; // the form's words are gone
  if (size > 0 && size < rules.smallest) return "small";
  if (!rules.kinds.includes(kindOf({ ...download, url }))) return "kind";
  if (isExcepted(url, download.referrer, rules.except)) return "site";
  return null;
}

/** Whether a download comes from, or was found on, one of the sites that are left to the browser. */
function isExcepted(url, referrer, except) {
  const hosts = [url, referrer].filter((each) => URL.canParse(each ?? "")).map((each) => new URL(each).hostname);
  const sites = except.toLowerCase().split(/[\s,]+/).filter(Boolean);
  return sites.some((site) => hosts.some((host) => host === site || host.endsWith(`.${site}`)));
}

export class Takeover {
  #agent;
  #held = new HeldDownloads();
  #altAt = 0;

  constructor(agent) {
    this.#agent = agent;
  }

  /** Alt was held at a click: not this time. */
  leaveNext() {
    this.#altAt = Date.now();
  }

  /** Begins to listen, where it is allowed; harmless when done twice. */
  start() {
    const created = chrome.downloads?.onCreated;
    if (created && !created.hasListener(this.#consider)) created.addListener(this.#consider);
    const requests = chrome.webRequest?.onBeforeRequest;
    if (requests && !requests.hasListener(noteMethod))
      requests.addListener(noteMethod, { urls: ["<all_urls>"], types: ["main_frame", "sub_frame"] });
  }

  #consider = async (download) => {
    const { takeover } = await chosenOptions();
    const method = await methodOf(download.finalUrl || download.url);
    const altHeld = Date.now() - this.#altAt < ALT_COUNTS_MS;
    if (altHeld) this.#altAt = 0; // one click, one download
    if (reasonToLeave(download, takeover, { method, altHeld }) === null) await this.#take(download);
  };

  async #take(download) {
    await this.#held.add(download.id);
    let id = null;
    try {
      const sentAt = Date.now();
      const { downloads } = await this.#agent.send([await this.#itemOf(download)]);
      const isOnItsWay = downloads[0] && Date.parse(downloads[0].created_at) < sentAt - CLOCK_MS;
      // What was on its way before is not ours to end, and comes without us.
      id = isOnItsWay ? null : (downloads[0]?.id ?? null);
      if (isOnItsWay || (id && (await this.#hasBegun(id, download.id)))) {
        await giveUp(download.id);
        await badge("good");
        return await this.#held.forget(download.id);
      }
    } catch {
      // not accepted, or nobody is there
    }
    if (id) {
      await this.#agent.steer(id, "cancel").catch(() => null);
      await this.#agent.forget(id).catch(() => null);
    }
    await this.#held.letGo(download.id);
  }

  async #itemOf(download) {
    const url = download.finalUrl || download.url;
    const tab = download.cookieStoreId ? { cookieStoreId: download.cookieStoreId } : undefined;
    const [promised] = (download.mime ?? "").split("/");
    // A medium that turns out to be a login page is refused there, and so comes back to the browser.
    const kind = ["video", "audio", "image"].includes(promised) ? promised : "file";
    // A person who downloads a second time wants a second file.
    return item(url, { url: download.referrer }, { kind, again: true, cookies: await cookiesFor(url, tab) });
  }

  /** Whether the browser's own is not needed any more: trayagent has begun, or waits for nothing but its turn. */
  async #hasBegun(id, ours) {
    const end = Date.now() + BEGIN_MS;
    while (Date.now() < end) {
      const [own] = await chrome.downloads.search({ id: ours });
      if (!own || own.error === "USER_CANCELED") return false;
      const { state, received, size, error, not_before: waits } = await this.#agent.download(id);
      if (size && own.totalBytes > 0 && size !== own.totalBytes) return false; // the server gave us something else
      if (state === "completed") return true;
      if (own.state === "complete") return false; // the browser was quicker
      if (state === "active" && received > 0) return true;
      if (error || ["failed", "cancelled", "paused"].includes(state) || (state === "queued" && waits)) return false;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    return true; // in the queue, without any trouble
  }
}

/**
 * The browser's downloads that we hold, written down: should the browser end this background in
 * between, the next one lets them go on.
 */
class HeldDownloads {
  #ids = this.#letAllGo();

  async add(id) {
    await this.#write([...(await this.#ids), id]);
    if (pausesOnItsConnection()) await chrome.downloads.pause(id).catch(() => null); // it may be over already
  }

  async letGo(id) {
    await chrome.downloads.resume(id).catch(() => null); // it ran on, or its user has cancelled it
    await this.forget(id);
  }

  async forget(id) {
    await this.#write((await this.#ids).filter((each) => each !== id));
  }

  #write(ids) {
    this.#ids = Promise.resolve(ids);
    return chrome.storage.session.set({ held: ids });
  }

  async #letAllGo() {
    const { held = [] } = await chrome.storage.session.get("held");
    for (const id of held) await chrome.downloads?.resume(id).catch(() => null);
    return [];
  }
}

/** Chromium's way, which also has this event; Firefox has not. */
const pausesOnItsConnection = () => "onDeterminingFilename" in chrome.downloads;

/** The browser's own download ends and leaves no trace, nor a second file. */
async function giveUp(id) {
  await chrome.downloads.cancel(id).catch(() => null);
  await chrome.downloads.removeFile(id).catch(() => null); // there is one only if it was complete
  await chrome.downloads.erase({ id });
}

// Methods of navigations that are not GET, by address: a download does not tell how it was asked for.
// Kept in the session's storage, since the background may sleep before a slow server answers.

const MOST_METHODS = 50; // addresses

let noted = Promise.resolve();

/** One after the other: two at once would forget each other. */
function noteMethod(request) {
  noted = noted.then(() => keepMethod(request)).catch(() => null);
}

async function keepMethod({ url, method }) {
  const { methods = {} } = await chrome.storage.session.get("methods");
  if (method === "GET" && !(url in methods)) return;
  delete methods[url];
  if (method !== "GET") methods[url] = method;
  await chrome.storage.session.set({ methods: Object.fromEntries(Object.entries(methods).slice(-MOST_METHODS)) });
}

async function methodOf(url) {
  await noted;
  const { methods = {} } = await chrome.storage.session.get("methods");
  return methods[url] ?? "GET";
}
