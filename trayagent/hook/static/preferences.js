// How somebody likes the page to look, kept in this browser. Never anything that opens or reveals something.

/** A preference as it was kept, or `fallback`. */
export function preferred(name, fallback) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? fallback;
  } catch {
    return fallback; // another program's words, or a browser that keeps nothing
  }
}

export function prefer(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    /* A browser that keeps nothing: the page looks as always the next time. */
  }
}
