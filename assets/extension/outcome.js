// What became of a request: on the badge, and as a notification.
const SHOWN = 4000; // milliseconds a badge stays

const LOOKS = { good: ["✓", "#17713d"], bad: ["!", "#b1261e"], busy: ["…", "#566170"] };

export async function badge(look) {
  const [text, color] = LOOKS[look] ?? ["", "#566170"];
  await chrome.action.setBadgeBackgroundColor({ color });
  await chrome.action.setBadgeText({ text });
  if (look !== "busy") setTimeout(() => chrome.action.setBadgeText({ text: "" }), SHOWN);
}

/** `{look, title, message}` for a receipt: what was added, what we had, what was refused. */
export function summary({ downloads = [], rejected = [] }) {
  const known = downloads.filter((download) => download.duplicate_of);
  const added = downloads.length - known.length;
  const name = downloads[0]?.filename ?? downloads[0]?.url ?? "";
  if (!added && known.length) return { look: "good", title: "Already here", message: known[0].path ?? name };
  const refused = rejected.length ? ` ${rejected.length} refused: ${rejected[0].message}` : "";
  return {
    look: rejected.length ? "bad" : "good",
    title: added === 1 ? "Sent to trayagent" : `${added} sent to trayagent`,
    message: `${added === 1 ? name : ""}${refused}`.trim() || "On its way.",
  };
}

export async function notify({ title, message }) {
  await chrome.notifications.create({ type: "basic", iconUrl: chrome.runtime.getURL("icons/128.png"), title, message });
}
