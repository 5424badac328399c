// Numbers, times and names as people read them; `model/wording.py` has the same for everything else. Pure.
import { plainText } from "./address.js";

const UNITS = ["KB", "MB", "GB", "TB", "PB"];

/** `1234567` → `1.2 MB`. */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  if (bytes < 1000) return `${bytes} byte${bytes === 1 ? "" : "s"}`;
  let value = bytes / 1000;
  let unit = 0;
  // 999.5 would be rounded to 1000: that is 1.0 of the next unit.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(value >= 99.95 ? 0 : 1)} ${UNITS[unit]}`;
}

/** Seconds → `42 s`, `3 min`, `1 h 5 min`, `2 d 3 h`: the two largest units that matter. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) {
    const rest = whole < 600 ? whole % 60 : 0; // from ten minutes on nobody counts the seconds
    return `${Math.floor(whole / 60)} min${rest ? ` ${rest} s` : ""}`;
  }
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours < 24) return `${hours} h${minutes ? ` ${minutes} min` : ""}`;
  return `${Math.floor(hours / 24)} d${hours % 24 ? ` ${hours % 24} h` : ""}`;
}

const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const STEPS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

/** An RFC 3339 time → `5 minutes ago`, `in 2 hours`. */
export function ago(time, now = Date.now()) {
  if (!time) return "";
  const seconds = (Date.parse(time) - now) / 1000;
  for (const [unit, length] of STEPS)
    if (Math.abs(seconds) >= length) return RELATIVE.format(Math.trunc(seconds / length), unit);
  return seconds > 1 ? `in ${Math.round(seconds)} s` : "just now";
}

const CLOCK = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** An RFC 3339 time → `21 Nov 2026, 14:05`. */
export function moment(time) {
  return time ? CLOCK.format(new Date(time)) : "";
}

const CALENDAR = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** An RFC 3339 time → `21 Nov 2026`. */
export function day(time) {
  return time ? CALENDAR.format(new Date(time)) : "";
}

/** Where a download comes from: its host, or the library and name of a synced item. */
export function origin(url) {
  return URL.canParse(url) ? new URL(url).host || url.split(":")[0] : url;
}

/** `count(3, "file")` → `3 files`. */
export function count(number, noun, plural = `${noun}s`) {
  return `${number.toLocaleString()} ${number === 1 ? noun : plural}`;
}

/** What a download is called: its file, else the end of its address, else the host; never a query. */
export function nameOf({ filename, url }) {
  if (filename) return plainText(filename, Infinity);
  const path = url.split(/[?#]/)[0];
  const isWeb = path.includes("://");
  const end = isWeb ? path.split("://")[1].split("/").slice(1).join("/") : path.slice(path.indexOf(":") + 1);
  const last = end.replace(/\/+$/, "").split("/").pop();
  return plainText(decoded(last), Infinity) || (URL.canParse(url) ? new URL(url).hostname : "") || path;
}

/** A name as people write it: `a%20b` → `a b`; what is not encoded properly stays. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** How far a download is, from 0 to 1; null where nobody knows. */
export function share({ state, received, size: whole }) {
  if (state === "completed") return 1;
  return whole ? Math.min(1, received / whole) : null;
}

/** An RFC 3339 time → the clock today, the day otherwise: `14:05`, `21 Nov`. */
export function shortMoment(time) {
  if (!time) return "";
  const then = new Date(time);
  const isToday = then.toDateString() === new Date().toDateString();
  return (isToday ? SHORT_CLOCK : SHORT_DAY).format(then);
}

const SHORT_CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
