// A dropped list or text, read into items; and items packed into requests the agent accepts. Pure.

const LARGEST = 200 * 1024; // bytes of one request: the agent takes 256 KiB
const OPTIONS = {
  out: "filename",
  dir: "folder",
  referer: "referer",
  "user-agent": "user_agent",
  checksum: "checksum",
};

const MARKS = { "255,254": "utf-16le", "254,255": "utf-16be" };

/** The text of a file: UTF-16 with its mark, else UTF-8. */
export function decode(buffer) {
  const mark = new Uint8Array(buffer.slice(0, 2)).join();
  return new TextDecoder(MARKS[mark] ?? "utf-8").decode(buffer);
}

/** Plain lines, `[folder]` headings and aria2's indented options → items. */
export function readText(text) {
  const items = [];
  let folder = null;
  for (const raw of text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/)) {
    const line = raw.trim();
    if (!line || line.startsWith("#")) continue;
    const heading = line.match(/^\[(.+)\]$/);
    if (heading) folder = heading[1].trim();
    else if (/^\s/.test(raw) && items.length && /^[a-z-]+=/.test(line)) addOption(items.at(-1), line);
    else items.push(itemOf(line, folder));
  }
  return items;
}

function itemOf(line, folder) {
  const [url, ...mirrors] = line
    .split("\t")
    .map((part) => part.trim())
    .filter(Boolean);
  return { url, ...(mirrors.length ? { mirrors } : {}), ...(folder ? { folder } : {}) };
}

function addOption(item, line) {
  const [key, value] = [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)];
  if (OPTIONS[key]) item[OPTIONS[key]] = value;
}

/** `.url`, `.desktop` and `.webloc` links → items. */
export function readLink(text) {
  const found = text.match(/^URL(?:\[\$e\])?=(.+)$/m) ?? text.match(/<string>([^<]+)<\/string>/);
  return found ? [{ url: found[1].trim().replaceAll("&amp;", "&") }] : [];
}

const READERS = [
  [/\.(txt|list|urls)$/i, readText],
  [/\.(url|desktop|webloc)$/i, readLink],
  [/\.json$/i, (text) => JSON.parse(text)],
];

/** The items of a dropped file, or null when only the drop folder can read its kind. */
export function readFile(name, text) {
  const reader = READERS.find(([pattern]) => pattern.test(name));
  const items = reader?.[1](text) ?? null;
  return Array.isArray(items) ? items : null;
}

/** Items in portions that each fit into one request. */
export function portions(items) {
  const found = [[]];
  let bytes = 0;
  const encoder = new TextEncoder();
  for (const item of items) {
    const length = encoder.encode(JSON.stringify(item)).length + 1;
    if (bytes + length > LARGEST && found.at(-1).length) {
      found.push([]);
      bytes = 0;
    }
    found.at(-1).push(item);
    bytes += length;
  }
  return found;
}
