// What the popup lists: everything found in the frames and the traffic, once each, best first; and its sizes.
import { isPrivate } from "./private-hosts.js";
import { seenIn } from "./traffic.js";

const ORDER = ["player", "page", "loaded", "shown", "embedded", "link"];
const MOST_ASKED = 24; // addresses asked for their size
export const MOST_LINES = 1000; // lines of the list

/** The tabs of the list and the kinds in them; links that name no file have one of their own. */
export const TABS = {
  all: ["video", "stream", "page", "audio", "image", "file", "archive"],
  video: ["video", "stream", "page"],
  image: ["image"],
  audio: ["audio"],
  file: ["file", "archive"],
  link: ["link"],
};

/** `[{url, kind, how, size, name, thumb}]` for a tab. */
export async function foundIn(tab) {
  const frames = await chrome.scripting
    .executeScript({ target: { tabId: tab.id, allFrames: true }, files: ["collect.js"] })
    .catch(() => []);
  const seen = (await seenIn(tab.id)).map((each) => ({ ...each, how: "loaded", name: "", thumb: "" }));
  return merge([...frames.flatMap(({ result }) => result ?? []), ...seen]).slice(0, MOST_LINES);
}

/** One line for each address, best first. */
export function merge(found) {
  const byUrl = new Map();
  for (const each of found) {
    const before = byUrl.get(each.url);
    byUrl.set(each.url, before ? { ...each, ...before, size: before.size ?? each.size } : each);
  }
  const rank = ({ how, kind }) => ORDER.indexOf(how) - (kind === "stream" ? 0.5 : 0) + (kind === "link" ? 10 : 0);
  return [...byUrl.values()].sort((a, b) => rank(a) - rank(b));
}

/**
 * Calls `tell(url, bytes)` for sizes that servers give: the page asks its own site, we ask others where
 * we may. Never asked: what names this computer or a private network, and, of other sites, what comes
 * without TLS, since a public name may lead home.
 */
export async function askSizes(tab, found, tell) {
  const unknown = found
    .filter(({ size, kind, url }) => !size && ["video", "audio", "file", "archive"].includes(kind) && isAskable(url))
    .slice(0, MOST_ASKED)
    .map(({ url }) => url);
  const own = unknown.filter((url) => new URL(url).origin === new URL(tab.url).origin);
  const foreign = unknown.filter((url) => !own.includes(url) && url.startsWith("https:"));
  const sizes = await Promise.all([headInPage(tab, own), headAll(await permitted(foreign))]);
  for (const [url, bytes] of sizes.flat()) if (bytes) tell(url, bytes);
}

const isAskable = (url) => !isPrivate(new URL(url).hostname);

async function headInPage(tab, urls) {
  if (!urls.length) return [];
  const [frame] = await chrome.scripting
    .executeScript({ target: { tabId: tab.id }, func: headAll, args: [urls] })
    .catch(() => []);
  return frame?.result ?? [];
}

async function permitted(urls) {
  const allowed = await Promise.all(
    urls.map((url) => chrome.permissions.contains({ origins: [`${new URL(url).origin}/*`] }).catch(() => false)),
  );
  return urls.filter((_, n) => allowed[n]);
}

/**
 * `[[url, bytes]]`; also runs inside the page, so it uses nothing from outside itself. A redirect might
 * lead home: none is followed.
 */
function headAll(urls) {
  return Promise.all(
    urls.map(async (url) => {
      const options = { method: "HEAD", redirect: "error", signal: AbortSignal.timeout(4000) };
      const answer = await fetch(url, options).catch(() => null);
      return [url, answer?.ok ? Number(answer.headers.get("content-length")) || null : null];
    }),
  );
}
