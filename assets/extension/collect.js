// Runs in the page when the popup opens: lists what it shows, loaded or links to. The last value is the answer.
// It asks no server for anything: sizes are those the browser knows, thumbnails are drawn from what is on show.
(() => {
  const VIDEO = /\.(mp4|m4v|webm|mkv|mov|avi|flv|ogv)$/i;
  const AUDIO = /\.(mp3|m4a|ogg|oga|opus|wav|flac|aac)$/i;
  const IMAGE = /\.(jpe?g|png|gif|webp|avif|bmp|tiff?|heic)$/i;
  const STREAM = /\.(m3u8|mpd)$/i;
  const ARCHIVE = /\.(zip|7z|rar|tar|t?gz|t?bz2|t?xz|zst|iso|img|dmg|deb|rpm|appimage|apk|exe|msi|jar)$/i;
  const FILE = /\.(pdf|epub|mobi|docx?|xlsx?|pptx?|od[tsp]|rtf|csv|txt|torrent|metalink|meta4|srt|vtt|ttf|otf)$/i;
  const KINDS = Object.entries({
    stream: STREAM,
    video: VIDEO,
    audio: AUDIO,
    image: IMAGE,
    archive: ARCHIVE,
    file: FILE,
  });
  const MOST_ENTRIES = 1000; // entries of one frame
  const MOST_THUMBNAILS = 24; // thumbnails of one frame
  const SMALLEST_PIXELS = 64; // pixels; smaller pictures are decoration
  const found = new Map();
  let drawn = 0;

  const kindOf = (path) => KINDS.find(([, pattern]) => pattern.test(path))?.[0] ?? "";

  function add(address, how, { kind = "", size = null, name = "", thumb = "" } = {}) {
    if (!address || found.size >= MOST_ENTRIES || !URL.canParse(address, document.baseURI)) return;
    const url = new URL(address, document.baseURI);
    if (!/^https?:$/.test(url.protocol)) return;
    url.hash = "";
    const before = found.get(url.href);
    found.set(url.href, {
      url: url.href,
      kind: before?.kind ?? (kind || kindOf(url.pathname) || "link"),
      how: before?.how ?? how,
      size: before?.size ?? size,
      name: before?.name || name.trim().replace(/\s+/g, " ").slice(0, 120),
      thumb: before?.thumb || thumb,
    });
  }

  /** A small JPEG of what is on show; empty where the browser does not let the page look at it. */
  function draw(source, width, height) {
    if (drawn >= MOST_THUMBNAILS || !width || !height) return "";
    const canvas = document.createElement("canvas");
    canvas.width = 72;
    canvas.height = 54;
    const scale = Math.max(72 / width, 54 / height);
    const [w, h] = [width * scale, height * scale];
    try {
      canvas.getContext("2d").drawImage(source, (72 - w) / 2, (54 - h) / 2, w, h);
      drawn += 1;
      return canvas.toDataURL("image/jpeg", 0.7);
    } catch {
      return ""; // from another site
    }
  }

  for (const player of document.querySelectorAll("video, audio")) {
    const thumb = player.readyState >= 2 ? draw(player, player.videoWidth, player.videoHeight) : "";
    const kind = player.tagName === "AUDIO" ? "audio" : "video";
    const sources = [...player.querySelectorAll("source")].map(({ src }) => src);
    for (const address of [player.currentSrc, player.src, ...sources]) {
      const isStream = STREAM.test(address.split(/[?#]/)[0]);
      add(address, "player", { kind: isStream ? "stream" : kind, name: player.title, thumb });
    }
  }
  for (const meta of document.querySelectorAll(
    'meta[property^="og:video"], meta[property^="og:audio"], meta[name="twitter:player:stream"]',
  ))
    if (/^(video|audio|stream)$/.test(kindOf(meta.content.split(/[?#]/)[0]))) add(meta.content, "page");
  for (const entry of performance.getEntriesByType("resource")) {
    const kind = kindOf(entry.name.split(/[?#]/)[0]);
    const size = entry.initiatorType === "video" ? null : entry.encodedBodySize || null;
    if (["video", "audio", "stream"].includes(kind)) add(entry.name, "loaded", { size });
  }
  const weights = new Map(performance.getEntriesByType("resource").map((e) => [e.name, e.encodedBodySize || null]));
  for (const picture of document.images) {
    if (picture.naturalWidth < SMALLEST_PIXELS || picture.naturalHeight < SMALLEST_PIXELS) continue;
    add(picture.currentSrc || picture.src, "shown", {
      kind: "image",
      name: picture.alt,
      size: weights.get(picture.currentSrc),
      thumb: draw(picture, picture.naturalWidth, picture.naturalHeight),
    });
  }
  for (const frame of document.querySelectorAll("iframe[src]"))
    if (
      frame.offsetWidth >= 240 &&
      frame.offsetHeight >= 135 &&
      URL.canParse(frame.src) &&
      new URL(frame.src).origin !== location.origin
    )
      add(frame.src, "embedded", { kind: "page", name: frame.title });
  for (const link of document.querySelectorAll("a[href]")) {
    if (link.pathname === undefined) continue; // an SVG's link
    const isWithinPage = link.href.split("#")[0] === location.href.split("#")[0];
    const kind = link.hasAttribute("download") ? kindOf(link.pathname) || "file" : "";
    if (!isWithinPage) add(link.href, "link", { name: link.textContent, kind });
  }
  return [...found.values()];
})();
