// Adding downloads: items, texts and list files become requests, and it is said what became of them.
import { count } from "./format.js";
import { decode, portions, readFile, readText } from "./lists.js";

const LARGEST_LIST = 4_000_000; // bytes; the drop folder takes lists of any size

/** Sends items, in several requests if there are many, and says what became of them. */
export class Adder {
  constructor(api, messages, dropFolder) {
    Object.assign(this, { api, messages, dropFolder });
  }

  async send(items) {
    if (!items.length) return this.messages.tell("There is no link in it.", "bad");
    const receipts = [];
    for (const portion of portions(items)) {
      const receipt = await this.messages.trying(() => this.#post(portion));
      if (!receipt) return undefined;
      receipts.push(receipt);
    }
    this.#report(receipts);
    return receipts;
  }

  // The rows themselves arrive as events: an answer may be older than what we know by then.
  #post(items) {
    const body = items.length === 1 ? items[0] : { items };
    return this.api.post("downloads", body, { "Idempotency-Key": crypto.randomUUID() });
  }

  #report(receipts) {
    const downloads = receipts.flatMap((receipt) => receipt.downloads);
    const rejected = receipts.flatMap((receipt) => receipt.rejected ?? []);
    const repeated = downloads.filter((download) => download.duplicate_of).length;
    const fresh = downloads.length - repeated;
    if (fresh) this.messages.tell(`${count(fresh, "download")} added.`, "good");
    if (repeated)
      this.messages.tell(
        repeated === 1 ? "You have this file already." : `${count(repeated, "file")} are here already.`,
      );
    if (rejected.length)
      this.messages.tell(
        rejected.length === 1
          ? rejected[0].message
          : `${count(rejected.length, "line")} refused. First: ${rejected[0].message}`,
        "bad",
      );
  }

  sendText(text) {
    return this.send(readText(text));
  }

  /** Sends what is in a list file; what cannot be read here belongs into the drop folder. */
  async sendFile(file) {
    const toFolder = `Put ${file.name} into the drop folder instead: ${this.dropFolder() || "see the settings"}.`;
    if (file.size > LARGEST_LIST) return this.messages.tell(`This list is large. ${toFolder}`, "bad");
    let items = null;
    try {
      items = readFile(file.name, decode(await file.arrayBuffer()));
    } catch {
      /* Damaged JSON: said below like any list we cannot read. */
    }
    return items ? this.send(items) : this.messages.tell(`This kind of list cannot be read here. ${toFolder}`, "bad");
  }
}
