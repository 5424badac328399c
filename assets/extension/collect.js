// Runs in the page when the popup opens: lists the media it shows or links to. The last value is the answer.
(() => {
  const FILE = /\.(mp4|m4v|webm|mkv|mov|avi|flv|mp3|m4a|ogg|opus|wav|flac)$/i;
  const SOUND = /\.(mp3|m4a|ogg|opus|wav|flac)$/i;
  const STREAM = /\.(m3u8|mpd)$/i;
  const found = new Map();
  const pathOf = (address) => address.split(/[?#]/)[0];
  const isMedia = (address) => FILE.test(pathOf(address)) || STREAM.test(pathOf(address));

  function add(address, how, { kind = "", size = null, name = "" } = {}) {
    if (!address || !URL.canParse(address, document.baseURI)) return;
    const url = new URL(address, document.baseURI);
    if (!/^https?:$/.test(url.protocol)) return;
    url.hash = "";
    const guessed = STREAM.test(url.pathname) ? "stream" : SOUND.test(url.pathname) ? "audio" : "video";
    const before = found.get(url.href);
    found.set(url.href, {
      url: url.href,
      kind: before?.kind ?? (kind || guessed),
      how: before?.how ?? how,
      size: before?.size ?? size,
      name: before?.name || name,
    });
  }

  for (const player of document.querySelectorAll("video, audio")) {
    const kind = player.tagName === "AUDIO" ? "audio" : "video";
    for (const address of [
      player.currentSrc,
      player.src,
      ...[...player.querySelectorAll("source")].map(({ src }) => src),
    ])
      add(address, "player", { kind: STREAM.test(pathOf(address)) ? "stream" : kind, name: player.title });
  }
  for (const meta of document.querySelectorAll(
    'meta[property^="og:video"], meta[property^="og:audio"], meta[name="twitter:player:stream"]',
  ))
    if (isMedia(meta.content)) add(meta.content, "page");
  for (const entry of performance.getEntriesByType("resource")) {
    if (isMedia(entry.name))
      add(entry.name, "loaded", { size: entry.initiatorType === "video" ? null : entry.encodedBodySize || null });
  }
  for (const link of document.querySelectorAll("a[href]"))
    if (isMedia(link.pathname)) add(link.href, "link", { name: link.textContent.trim().slice(0, 80) });
  for (const frame of document.querySelectorAll("iframe[src]"))
    if (
      frame.offsetWidth >= 240 &&
      frame.offsetHeight >= 135 &&
      URL.canParse(frame.src) &&
      new URL(frame.src).origin !== location.origin
    )
      add(frame.src, "embedded", { kind: "page" });
  return [...found.values()].slice(0, 200);
})();
