// Small pictures of the downloaded pictures and videos in sight: asked for when the list stands still, few at once, few kept.
import { nameOf } from "./format.js";
import { typeOf } from "./types.js";

const REST = 150; // milliseconds that the list stands still before anything is asked for
const AT_ONCE = 3;
const KEPT = 200;
const SEEN = new Set(["image", "video"]);

const keyOf = ({ id, path }) => `${id} ${path}`; // another file is another picture

/** Tells `ready` when there is one more. */
export class Previews extends EventTarget {
  #api;
  #kept = new Map(); // key → its address; null: there is none
  #wanted = [];
  #running = 0;
  #timer = 0;

  constructor(api) {
    super();
    this.#api = api;
  }

  /** The address of a download's picture, where it has come; else null. */
  of(download) {
    return (download && this.#kept.get(keyOf(download))) ?? null;
  }

  /** These are in sight; what was wanted before and is not among them is wanted no more. */
  want(downloads) {
    this.#wanted = downloads.filter(
      (each) => each.state === "completed" && each.path && SEEN.has(typeOf(nameOf(each))) && !this.#kept.has(keyOf(each)),
    );
    clearTimeout(this.#timer);
    if (this.#wanted.length) this.#timer = setTimeout(() => this.#fetch(), REST);
  }

  #fetch() {
    while (this.#running < AT_ONCE && this.#wanted.length) {
      const download = this.#wanted.shift();
      if (this.#kept.has(keyOf(download))) continue;
      this.#running += 1;
      this.#keep(keyOf(download), null); // whatever comes, it is asked for once
      this.#api
        .picture(`downloads/${download.id}/thumbnail`)
        .then((address) => address && this.#keep(keyOf(download), address))
        .catch(() => null) // a lost agent is noticed by the event stream
        .finally(() => {
          this.#running -= 1;
          this.#fetch();
        });
    }
  }

  #keep(key, address) {
    this.#kept.delete(key);
    this.#kept.set(key, address);
    if (this.#kept.size > KEPT) {
      const [oldest, gone] = this.#kept.entries().next().value;
      this.#kept.delete(oldest);
      if (gone) URL.revokeObjectURL(gone);
    }
    if (address) this.dispatchEvent(new Event("ready"));
  }
}
