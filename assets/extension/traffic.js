// Optional: notices media and stream manifests that pages load, if the user has allowed it in the options.

const MEDIA = /^(video\/|audio\/|application\/(vnd\.apple\.mpegurl|x-mpegurl|dash\+xml))/i;
const SEGMENT = /\.(ts|m4s|cmf[va]|aac)$/i;
const MOST_KEPT = 40;

export const TRAFFIC = { permissions: ["webRequest"], origins: ["<all_urls>"] };

const key = (tab) => `traffic:${tab}`;

/** What was seen in a tab: `[{url, kind, size}]`. */
export async function seenIn(tab) {
  return (await chrome.storage.session.get(key(tab)))[key(tab)] ?? [];
}

const header = (headers, name) => headers?.find((each) => each.name.toLowerCase() === name)?.value;

function kindOf(type) {
  if (/mpegurl|dash/i.test(type)) return "stream";
  return type.toLowerCase().startsWith("audio/") ? "audio" : "video";
}

let written = Promise.resolve();

/** Notes one answer after the other: two at once would forget each other. */
function note(details) {
  if (details.tabId >= 0) written = written.then(() => keep(details)).catch(() => {});
}

async function keep(details) {
  if (details.type === "main_frame") await chrome.storage.session.remove(key(details.tabId));
  const type = header(details.responseHeaders, "content-type") ?? "";
  if (!MEDIA.test(type) || SEGMENT.test(new URL(details.url).pathname)) return;
  const whole =
    header(details.responseHeaders, "content-range")?.split("/")[1] ??
    header(details.responseHeaders, "content-length");
  const before = (await seenIn(details.tabId)).filter(({ url }) => url !== details.url);
  const seen = { url: details.url, kind: kindOf(type), size: Number(whole) || null };
  await chrome.storage.session.set({ [key(details.tabId)]: [...before, seen].slice(-MOST_KEPT) });
}

function start() {
  const listening = chrome.webRequest?.onHeadersReceived;
  if (listening && !listening.hasListener(note))
    listening.addListener(note, { urls: ["<all_urls>"] }, ["responseHeaders"]);
}

/** Begins at once where it is allowed already, else as soon as it is. */
export function watchTraffic() {
  start();
  chrome.permissions.onAdded.addListener(start);
  chrome.tabs.onRemoved.addListener((tab) => chrome.storage.session.remove(key(tab)));
}
