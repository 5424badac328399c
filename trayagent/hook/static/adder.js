// Adding downloads: items, texts and list files become requests, and it is said what became of them.
import { decode, portions, readFile, readText } from "./lists.js";
import { ADD } from "./words.js";

const LARGEST_LIST = 4_000_000; // bytes; the drop folder takes lists of any size

/** Sends items, in several requests if there are many. Tells `refused` with the lines that may not enter. */
export class Adder extends EventTarget {
  constructor(api, messages, dropFolder) {
    super();
    Object.assign(this, { api, messages, dropFolder });
  }

  /** Resolves with the refused lines, `[{line, why}, …]`; undefined when nothing could be sent at all. */
  async send(items) {
    if (!items.length) return this.messages.tell(ADD.noLink, "bad") && undefined;
    const downloads = [];
    const refused = [];
    for (const portion of portions(items)) {
      const receipt = await this.messages.trying(() => this.#post(portion));
      if (!receipt) return undefined;
      downloads.push(...receipt.downloads);
      for (const { index, url, message } of receipt.rejected ?? [])
        refused.push({ line: portion[index]?.url ?? url, why: message });
    }
    this.#report(downloads);
    if (refused.length) this.dispatchEvent(new CustomEvent("refused", { detail: refused }));
    return refused;
  }

  // The rows themselves arrive as events: an answer may be older than what we know by then.
  async #post(portion) {
    const body = portion.length === 1 ? portion[0] : { items: portion };
    try {
      return await this.api.post("downloads", body, { "Idempotency-Key": crypto.randomUUID() });
    } catch (error) {
      if (error.body?.rejected) return error.body; // all of them are refused, each for a reason
      throw error;
    }
  }

  #report(downloads) {
    const here = downloads.filter((download) => download.duplicate_of);
    const fresh = downloads.length - here.length;
    if (fresh) this.messages.tell(ADD.added(fresh), "good");
    if (!here.length) return;
    const again = () => this.send(here.map(({ url }) => ({ url, again: true })));
    const show = () => {
      location.hash = `#${here[0].duplicate_of}`;
    };
    this.messages.tell(ADD.here(here.length), "", [...(here.length === 1 ? [[ADD.show, show]] : []), [ADD.againNow, again]]);
  }

  /** What a page offers; undefined where it cannot be said, which is told. */
  look(url) {
    return this.messages.trying(() => this.api.post("pages/look", { url }));
  }

  sendText(text) {
    return this.send(readText(text));
  }

  /** Sends what is in a list file; what cannot be read here belongs into the drop folder. */
  async sendFile(file) {
    const toFolder = ADD.dropFolder(file.name, this.dropFolder());
    if (file.size > LARGEST_LIST) return this.messages.tell(`${ADD.large} ${toFolder}`, "bad");
    let items = null;
    try {
      items = readFile(file.name, decode(await file.arrayBuffer()));
    } catch {
      /* Damaged JSON: said below like any list we cannot read. */
    }
    return items ? this.send(items) : this.messages.tell(`${ADD.unreadable} ${toFolder}`, "bad");
  }
}
