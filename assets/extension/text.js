// Words for people, in the browser's language; _locales has them.

/** The text of a key; `$1`, `$2` … in it become the values. Outside a browser the key stands for it. */
export const t = (key, ...values) =>
  globalThis.chrome?.i18n?.getMessage(key, values.map(String)) || key;

const ATTRIBUTES = ["placeholder", "aria-label", "title", "alt"];

/** Fills in what a page marks: `data-t` is an element's text, `data-t-title` and so on an attribute. */
export function translate(root = document) {
  document.documentElement.lang = chrome.i18n.getUILanguage();
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const name of ATTRIBUTES)
    for (const element of root.querySelectorAll(`[data-t-${name}]`))
      element.setAttribute(name, t(element.getAttribute(`data-t-${name}`)));
}

/** A size as people read it, in powers of 1000; empty for none. */
export function size(bytes) {
  if (!bytes) return "";
  const unit = Math.min(3, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** unit).toFixed(unit > 1 ? 1 : 0)} ${["B", "kB", "MB", "GB"][unit]}`;
}

/** A duration in seconds, in its largest unit. */
export function duration(seconds) {
  if (seconds >= 5400) return t("hours", Math.round(seconds / 3600));
  if (seconds >= 90) return t("minutes", Math.round(seconds / 60));
  return t("seconds", Math.max(1, Math.round(seconds)));
}

/** What an address is called when nobody gave it a name: its last part, never its query. */
export function nameOf(url) {
  if (!URL.canParse(url)) return "";
  const { pathname, host } = new URL(url);
  const last = pathname.split("/").filter(Boolean).pop() ?? host;
  try {
    return decodeURIComponent(last);
  } catch {
    return last; // not UTF-8: as it is
  }
}
