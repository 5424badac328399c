// Runs in the page when the popup opens: lists the media it shows or links to. The last value is the answer.
(() => {
  const FILE = /\.(mp4|m4v|webm|mkv|mov|avi|flv|mp3|m4a|ogg|opus|wav|flac)$/i;
  const SOUND = /\.(mp3|m4a|ogg|opus|wav|flac)$/i;
  const STREAM = /\.(m3u8|mpd)$/i;
  const found = new Map();

  function add(address, how, { kind = "", size = null, name = "" } = {}) {
    if (!address || !URL.canParse(address, document.baseURI)) return;
    const url = new URL(address, document.baseURI);
    if (!/^https?:$/.test(url.protocol)) return;
    url.hash = "";
    const guessed = STREAM.test(url.pathname) ? "stream" : SOUND.test(url.pathname) ? "audio" : "video";
    const before = found.get(url.href);
    found.set(url.href, { url: url.href, kind: before?.kind ?? (kind || guessed), how: before?.how ?? how, size: before?.size ?? size, name: before?.name || name });
  }

  for (const player of document.querySelectorAll("video, audio")) {
    const kind = player.tagName === "AUDIO" ? "audio" : "video";
    for (const address of [player.currentSrc, player.src, ...[...player.querySelectorAll("source")].map(({ src }) => src)])
      add(address, "player", { kind: STREAM.test(address.split(/[?#]/)[0]) ? "stream" : kind, name: player.title });
  }
  for (const meta of document.querySelectorAll('meta[property^="og:video"], meta[property^="og:audio"], meta[name="twitter:player:stream"]'))
    if (/^https?:/.test(meta.content) && (FILE.test(meta.content.split(/[?#]/)[0]) || STREAM.test(meta.content.split(/[?#]/)[0]))) add(meta.content, "page");
  for (const entry of performance.getEntriesByType("resource")) {
    const path = entry.name.split(/[?#]/)[0];
    if (STREAM.test(path) || FILE.test(path)) add(entry.name, "loaded", { size: entry.initiatorType === "video" ? null : entry.encodedBodySize || null });
  }
  for (const link of document.querySelectorAll("a[href]"))
    if (FILE.test(link.pathname) || STREAM.test(link.pathname)) add(link.href, "link", { name: link.textContent.trim().slice(0, 80) });
  for (const frame of document.querySelectorAll("iframe[src]"))
    if (frame.offsetWidth >= 240 && frame.offsetHeight >= 135 && URL.canParse(frame.src) && new URL(frame.src).origin !== location.origin) add(frame.src, "embedded", { kind: "page" });
  return [...found.values()].slice(0, 200);
})();
