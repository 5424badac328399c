// From the answer of a JSON API to the description of a source: what is a list, what a field could be. Pure.

/** Names that a field often has, the likeliest first. */
const USUAL = {
  id: ["id", "uuid", "guid", "key", "_id", "name"],
  url: ["url", "download_url", "original", "src", "href", "file", "link", "image", "media"],
  name: ["name", "filename", "file_name", "title"],
  created: ["created_at", "created", "createdat", "date", "taken_at", "timestamp", "uploaded_at", "updated_at"],
  kind: ["kind", "type", "media_type", "mime_type", "mimetype"],
  size: ["size", "bytes", "file_size", "filesize", "length"],
};
const CURSORS = ["next_cursor", "nextcursor", "cursor", "next_page_token", "nextpagetoken", "next", "after", "continuation"];
const SIZES = ["limit", "per_page", "page_size", "pagesize", "count", "size", "take"];
const PARAMETERS = { cursor: ["cursor", "after", "page_token", "pagetoken", "next"], page: ["page", "p"], offset: ["offset", "start", "skip"] };
const MEDIA = /\.(jpe?g|png|gif|webp|avif|mp4|webm|mov)(\?|$)/i;
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isPlainKey = (key) => /^[^.[\]{}*]+$/.test(key); // others cannot be written as a path

/** The lists of objects in an answer: `[["data.items", [first, …]], …]`; the path of the answer itself is "". */
export function listsOf(value, path = "") {
  if (Array.isArray(value)) return value.some(isObject) ? [[path, value.filter(isObject)]] : [];
  if (!isObject(value)) return [];
  return Object.entries(value)
    .filter(([key]) => isPlainKey(key))
    .flatMap(([key, inner]) => listsOf(inner, path ? `${path}.${key}` : key));
}

/** Every text and number in a value: `[["file.url", "https://…"], …]`; a list counts by its first element. */
export function leavesOf(value, path = "") {
  if (Array.isArray(value)) return value.length ? leavesOf(value[0], `${path}[0]`) : [];
  if (isObject(value))
    return Object.entries(value)
      .filter(([key]) => isPlainKey(key))
      .flatMap(([key, inner]) => leavesOf(inner, path ? `${path}.${key}` : key));
  return value === null || !path ? [] : [[path, value]];
}

const last = (path) => path.split(".").pop().replace(/\[.*$/, "").toLowerCase();

/** The likeliest path of each role in an item: `{id: "id", url: "file.url"}`; roles without one are left out. */
export function guessRoles(item) {
  const leaves = leavesOf(item);
  const found = {};
  for (const [role, names] of Object.entries(USUAL)) {
    const named = names.flatMap((name) => leaves.filter(([path]) => last(path) === name));
    const fits = named.filter(([, value]) => role !== "url" || /^https?:/.test(value));
    const media = role === "url" ? leaves.filter(([, value]) => /^https?:/.test(value) && MEDIA.test(value)) : [];
    const any = role === "url" ? leaves.filter(([, value]) => /^(https?:)?\//.test(value)) : [];
    const best = [...fits.filter((leaf) => media.includes(leaf)), ...media, ...fits, ...any][0];
    if (best) [found[role]] = best;
  }
  return found;
}

/** How the list probably goes on: `{style, next, parameter}`. */
export function guessPaging(answer, listPath, address) {
  const own = leavesOf(withoutList(answer, listPath));
  const named = CURSORS.flatMap((name) => own.filter(([path]) => last(path) === name));
  const parameters = [...new URL(address).searchParams.keys()];
  const parameter = (style) => parameters.find((name) => PARAMETERS[style].includes(name.toLowerCase())) ?? PARAMETERS[style][0];
  if (named.length) {
    const [next, value] = named[0];
    if (/^https?:/.test(value)) return { style: "next_url", next, parameter: "" };
    return { style: "cursor", next, parameter: parameter("cursor") };
  }
  for (const style of ["page", "offset"])
    if (parameters.some((name) => PARAMETERS[style].includes(name.toLowerCase()))) return { style, next: "", parameter: parameter(style) };
  return { style: "", next: "", parameter: "" };
}

/** The answer with the list of items taken out: what is left may say how to go on. */
export function withoutList(answer, listPath) {
  if (!isObject(answer)) return {};
  const copy = structuredClone(answer);
  const steps = listPath.split(".");
  const owner = steps.slice(0, -1).reduce((value, step) => value?.[step], copy);
  if (owner) delete owner[steps.at(-1)];
  return copy;
}

/** The keys of a source in the settings, from an address and what was chosen in its answer. */
export function describe({ address, list, roles, paging, sent, hasKey }) {
  const url = new URL(address);
  const query = {};
  let pageSize;
  for (const [name, value] of url.searchParams) {
    if (SIZES.includes(name.toLowerCase()) && Number(value) > 0) {
      pageSize = Number(value);
      query[name] = "{page_size}";
    } else query[name] = value;
  }
  const { style = "", next = "", parameter = "" } = paging;
  if (["cursor", "page", "offset"].includes(style) && parameter) query[parameter] = `{${style}}`;
  // A list that is the whole answer, or has one page, still needs the name of a style.
  const page = { items: list, style: style || "cursor", ...(next ? { next } : {}) };
  return {
    base: url.origin,
    list: { url: `{base}${url.pathname}`, query, ...(pageSize ? { page_size: pageSize } : {}) },
    page,
    item: roles,
    ...(hasKey ? { auth: auth(sent) } : {}),
  };
}

function auth(sent) {
  if (sent === "query") return { query: { api_key: "{secret:token}" } };
  if (sent === "header") return { headers: { "X-Api-Key": "{secret:token}" } };
  return { headers: { Authorization: `${sent === "token" ? "Token" : "Bearer"} {secret:token}` } };
}
