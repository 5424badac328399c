// What to ask trayagent for, from what was clicked. Pure.

const DIRECT = /\.(mp4|m4v|webm|mkv|mov|avi|ts|m3u8|mpd|mp3|m4a|ogg|opus|wav|flac|jpe?g|png|gif|webp|avif|zip|pdf)$/i;

export const isWeb = (url) => /^https?:/i.test(url ?? "");

/** Whether the address itself names a file of media. */
export function isDirect(url) {
  return URL.canParse(url) && DIRECT.test(new URL(url).pathname);
}

/** A page's address as a referer: without fragment and without a name and password. */
export function referer(url) {
  if (!isWeb(url)) return undefined;
  const page = new URL(url);
  page.hash = page.username = page.password = "";
  return page.href;
}

/** The item for an address found on a page; `extras` are kind, cookies and what is wished. */
export function item(url, page, extras = {}) {
  const filled = {
    url,
    page_url: isWeb(page.url) ? page.url : undefined,
    title: page.title?.slice(0, 200),
    referer: referer(page.url),
    user_agent: navigator.userAgent,
    ...extras,
  };
  return Object.fromEntries(
    Object.entries(filled).filter(([, value]) => value !== undefined && value !== null && value.length !== 0),
  );
}

/** What is wished of a page's video: `{quality: "720", subtitles: "en, de"}` as fields and options have it. */
export function wishes({ quality = "", subtitles = "" }) {
  return { quality, subtitles: subtitles.split(/[,\s]+/).filter(Boolean) };
}

/** The item for a page itself: its video is found by trayagent. */
export function pageItem(page, extras = {}) {
  return item(page.url, page, { kind: isDirect(page.url) ? "auto" : "page", ...extras });
}

/** What a click in the menu means: `{url, kind}`, or null when there is nothing to send. */
export function clicked(info, tab) {
  const page = info.frameUrl ?? tab?.url ?? info.pageUrl;
  switch (info.menuItemId) {
    case "link":
      return isWeb(info.linkUrl) ? { url: info.linkUrl, kind: "auto" } : null;
    case "image":
      return isWeb(info.srcUrl) ? { url: info.srcUrl, kind: "image" } : null;
    case "media":
      // A player that streams has no address of its own: then its page is sent.
      return isWeb(info.srcUrl)
        ? { url: info.srcUrl, kind: info.mediaType === "audio" ? "audio" : "video" }
        : whole(page);
    case "cookies":
      return clicked(
        {
          ...info,
          menuItemId: info.srcUrl ? (info.mediaType === "image" ? "image" : "media") : info.linkUrl ? "link" : "page",
        },
        tab,
      );
    default:
      return whole(page);
  }
}

const whole = (url) => (isWeb(url) ? { url, kind: isDirect(url) ? "auto" : "page" } : null);
