// The entries of the right-click menu, and what they send.
import { cookiesFor, granted, wanted } from "./cookies.js";
import { clicked, isWeb, item, wishes } from "./items.js";
import { chosenOptions } from "./settings.js";
import { t } from "./text.js";

const MENUS = [
  ["media", "menu_media", ["video", "audio"]],
  ["image", "menu_image", ["image"]],
  ["link", "menu_link", ["link"]],
  ["selection", "menu_selection", ["selection"]],
  ["page", "menu_page", ["page", "frame"]],
  ["cookies", "menu_cookies", ["video", "audio", "image", "link", "page"]],
];
const MOST_LINKS = 500; // links of a selection

export function makeMenus() {
  chrome.contextMenus.removeAll(() => {
    for (const [id, key, contexts] of MENUS) chrome.contextMenus.create({ id, title: t(key), contexts });
  });
}

/** The items that a click in the menu means; empty when there is nothing to send. */
export async function itemsOf(info, tab) {
  const page = { url: tab?.url ?? info.pageUrl, title: tab?.title };
  if (info.menuItemId === "selection")
    return (await linksInSelection(tab)).map((url) => item(url, page, { kind: "auto" }));
  const found = clicked(info, tab);
  if (!found) return [];
  // The browser asks its user only while the click still counts, so nothing is awaited before.
  const allowed = info.menuItemId === "cookies" && granted(wanted([found.url]));
  const extras = { kind: found.kind };
  if (found.kind === "page") Object.assign(extras, wishes(await chosenOptions()));
  if (await allowed) extras.cookies = await cookiesFor(found.url, tab);
  return [item(found.url, page, extras)];
}

async function linksInSelection(tab) {
  const frames = await chrome.scripting
    .executeScript({ target: { tabId: tab.id, allFrames: true }, func: collectSelected })
    .catch(() => []);
  const urls = frames.flatMap(({ result }) => result ?? []).filter(isWeb);
  return [...new Set(urls)].slice(0, MOST_LINKS);
}

/** Runs in the page: links that the selection touches, and addresses written in its text. */
function collectSelected() {
  const selection = getSelection();
  const text = selection.toString().slice(0, 100_000);
  const links = [...document.links].filter((link) => selection.containsNode(link, true)).map(({ href }) => href);
  return [...links, ...(text.match(/https?:\/\/[^\s<>"']{1,2000}/g) ?? [])];
}
