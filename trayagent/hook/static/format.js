// Numbers and times as people read them. Pure.

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** `1234567` → `1.2 MB`. */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** Seconds → `42 s`, `3 min`, `1 h 05`. */
export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}`;
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

/** What to call a download before its name is known: the end of its address. */
export function lastPart(url) {
  const path = url.split(/[?#]/)[0].replace(/\/+$/, "");
  const end = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf(":")) + 1);
  return URL.canParse(url) && new URL(url).pathname === "/" ? origin(url) : end || url;
}

/** `count(3, "file")` → `3 files`. */
export function count(number, noun, plural = `${noun}s`) {
  return `${number.toLocaleString()} ${number === 1 ? noun : plural}`;
}
