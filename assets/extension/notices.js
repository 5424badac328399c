// What became of a request: on the badge, and as a notification where there is more to say.
// What was sent needs none: trayagent itself tells when it is here.
import { nameOf, t } from "./text.js";

const SHOWN_MS = 4000; // for which a badge stays
const LOOKS = { good: ["✓", "#17713d"], bad: ["!", "#b1261e"], busy: ["…", "#566170"] };

export async function badge(look) {
  const [text, color] = LOOKS[look] ?? ["", "#566170"];
  await chrome.action.setBadgeBackgroundColor({ color });
  await chrome.action.setBadgeText({ text });
  if (look !== "busy") setTimeout(() => chrome.action.setBadgeText({ text: "" }), SHOWN_MS);
}

/**
 * `{look, title, message, worth}` for a receipt: what was added, what we had, what was refused. `worth`
 * tells whether it is worth a notification.
 */
export function summary({ downloads = [], rejected = [] }) {
  const known = downloads.filter((download) => download.duplicate_of);
  const added = downloads.length - known.length;
  const name = downloads[0] ? downloads[0].filename || nameOf(downloads[0].url) : "";
  if (!added && known.length)
    return { look: "good", title: t("already_here"), message: name, worth: true, id: known[0].duplicate_of };
  const refused = rejected.length ? t("refused_count", rejected.length, rejected[0].message) : "";
  return {
    look: rejected.length ? "bad" : "good",
    title: added === 1 ? t("sent_one") : t("sent_many", added),
    message: [added === 1 ? name : "", refused].filter(Boolean).join(" "),
    worth: rejected.length > 0,
  };
}

/** One notification; `id` lets a click find what it is about. */
export async function notify({ title, message = "" }, id = crypto.randomUUID()) {
  const iconUrl = chrome.runtime.getURL("icons/128.png");
  await chrome.notifications.create(id, { type: "basic", iconUrl, title, message });
}
