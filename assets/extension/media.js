// What the popup lists: everything found in the frames and the traffic, once each, best first; and its sizes.
import { seenIn } from "./traffic.js";

const ORDER = ["player", "page", "loaded", "link", "embedded"];
const ASKED = 24; // addresses asked for their size

/** `[{url, kind, how, size, name}]` for a tab. */
export async function mediaOf(tab) {
  const frames = await chrome.scripting
    .executeScript({ target: { tabId: tab.id, allFrames: true }, files: ["collect.js"] })
    .catch(() => []);
  const seen = (await seenIn(tab.id)).map((each) => ({ ...each, how: "loaded", name: "" }));
  return merge([...frames.flatMap(({ result }) => result ?? []), ...seen]);
}

/** One line for each address, best first. */
export function merge(found) {
  const byUrl = new Map();
  for (const each of found) {
    const before = byUrl.get(each.url);
    byUrl.set(each.url, before ? { ...each, ...before, size: before.size ?? each.size } : each);
  }
  const rank = ({ how, kind }) => ORDER.indexOf(how) - (kind === "stream" ? 0.5 : 0);
  return [...byUrl.values()].sort((a, b) => rank(a) - rank(b));
}

/** Calls `tell(url, bytes)` for sizes that servers give: through the page for its own site, from here where we may. */
export async function askSizes(tab, media, tell) {
  const unknown = media
    .filter(({ size, kind }) => !size && ["video", "audio"].includes(kind))
    .slice(0, ASKED)
    .map(({ url }) => url);
  const own = unknown.filter((url) => new URL(url).origin === new URL(tab.url).origin);
  const foreign = unknown.filter((url) => !own.includes(url));
  const sizes = await Promise.all([headInPage(tab, own), headAll(await permitted(foreign))]);
  for (const [url, bytes] of sizes.flat()) if (bytes) tell(url, bytes);
}

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

/** `[[url, bytes]]`; also runs inside the page, so it uses nothing from outside itself. */
function headAll(urls) {
  return Promise.all(
    urls.map(async (url) => {
      const answer = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(4000) }).catch(() => null);
      return [url, answer?.ok ? Number(answer.headers.get("content-length")) || null : null];
    }),
  );
}
