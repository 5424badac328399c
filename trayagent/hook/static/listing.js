// The rows of one list as the agent orders them. Only the windows around what is in sight are held, however long it is.
// A row is a download, or the head of a batch: `{id, isHead: true, rows, shown, failed, batch}`.
import { isBusy, query } from "./api.js";

const PAGE = 100; // rows asked for at once
const KEPT = 24; // windows in memory
const REST = 350; // milliseconds between two readings of the same windows
const AGAIN = 3000; // milliseconds until what could not be read is asked for once more
const FOLDED = 100; // batches that are remembered as opened, or as closed, by hand

/** Tells `rows` whenever what is in sight has changed. */
export class Listing extends EventTarget {
  #api;
  #aim;
  #pages = new Map(); // page → its rows
  #heads = new Map(); // page → heads among its rows, and the one before them whose rows they are
  #places = new Map(); // id → page it is on
  #loading = new Map(); // page → the reading that is under way
  #sight = [0, 0];
  #turn = 0;
  #timer = 0;
  #old = false;
  #since = Infinity; // when the first change came that is not read yet
  #byHand = new Map(); // id of a batch → whether somebody has opened it

  /** What has changed is read once nobody aims at a row (`aim.js`): until then each keeps its place. */
  constructor(api, aim) {
    super();
    this.#api = api;
    this.#aim = aim;
    this.total = 0; // rows
    this.count = 0; // downloads, also those under closed heads
    this.wanted = { sort: "queue" };
    this.isRead = false;
  }

  /** Turns to another list: `{state, type, batch, q, sort, folded}`; nothing is known of it at first. */
  async choose(wanted) {
    this.wanted = wanted;
    this.#turn += 1;
    this.#pages.clear();
    this.#heads.clear();
    this.#places.clear();
    this.#loading.clear();
    this.#sight = [0, 0];
    this.isRead = false;
    await this.#load(0);
  }

  at(index) {
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE] ?? null;
  }

  /** The open head that the row at this place belongs to, where that is in memory; null: it belongs to none. */
  headOf(index) {
    const heads = this.#heads.get(Math.floor(index / PAGE)) ?? [];
    return heads.find(({ at, shown }) => at < index && index <= at + shown) ?? null;
  }

  /** Opens a batch's head, or closes it; its row stays where it is. */
  async fold(id, isOpen) {
    this.#byHand.delete(id);
    this.#byHand.set(id, isOpen);
    if (this.#byHand.size > FOLDED) this.#byHand.delete(this.#byHand.keys().next().value);
    // What is being read now was asked for with other folds.
    this.#turn += 1;
    this.#loading.clear();
    this.#since = -Infinity; // who folds aims no more
    await this.#reread();
  }

  /** A row that is in memory, by its id. */
  find(id) {
    const page = this.#places.get(id);
    return this.#pages.get(page)?.find((row) => row.id === id) ?? null;
  }

  /** Where a row stands; -1 when it is not in memory. */
  indexOf(id) {
    const page = this.#places.get(id);
    const place = this.#pages.get(page)?.findIndex((row) => row.id === id) ?? -1;
    return place < 0 ? -1 : page * PAGE + place;
  }

  /** The rows from `first` to `last` are in sight: what is missing of them is read. */
  see(first, last) {
    this.#sight = [first, last];
    for (const page of this.#pagesInSight()) if (!this.#pages.has(page)) this.#load(page);
  }

  /** Something has changed on the agent's side: what is in sight is read again, not too often. */
  renew(after = REST) {
    this.#old = true;
    this.#since = Math.min(this.#since, performance.now() + after);
    this.#timer ||= setTimeout(() => this.#rereadAtRest(), after);
  }

  /** A newer value of a row that may be in memory. */
  put(download) {
    const page = this.#places.get(download.id);
    const rows = this.#pages.get(page);
    const place = rows?.findIndex((row) => row.id === download.id) ?? -1;
    if (place < 0) return;
    rows[place] = download;
    this.#tell();
  }

  /** The ids of all downloads, also of those that are not in memory, or under a closed head. */
  async ids() {
    const found = [];
    while (found.length < this.count) {
      const page = await this.#ask({ folded: undefined, offset: String(found.length), limit: 1000 });
      if (!page.downloads.length) break;
      found.push(...page.downloads.map(({ id }) => id));
    }
    return found;
  }

  /** The first waiting download of a batch, or null. */
  async firstWaiting(batch) {
    const page = await this.#ask({ folded: undefined, batch, state: "queued", limit: 1 });
    return page.downloads[0]?.id ?? null;
  }

  #ask(window) {
    const wanted = { ...this.wanted, ...window };
    const named = (isOpen) => [...this.#byHand].filter(([, open]) => open === isOpen).map(([id]) => id);
    const folds = wanted.folded ? { opened: named(true).join(), closed: named(false).join() } : {};
    return this.#api.get(`downloads${query({ ...wanted, ...folds })}`);
  }

  #pagesInSight() {
    const [first, last] = this.#sight.map((index) => Math.floor(Math.max(0, Math.min(index, this.total - 1)) / PAGE));
    return Array.from({ length: last - first + 1 }, (_, number) => first + number);
  }

  /**
   * Reads a page. `since`: something has changed at that moment; a reading that is under way may have been answered
   * before it, so another one follows. An answer that comes when somebody aims is not shown: it is asked for again.
   */
  #load(page, since = null) {
    const turn = this.#turn;
    const known = this.#loading.get(page);
    if (known && since === null) return known;
    const ask = () => this.#ask({ offset: String(page * PAGE), limit: PAGE });
    const reading = (known ? known.then(ask, ask) : ask())
      .then((answer) => {
        if (turn !== this.#turn) return;
        if (since === null || !this.#pages.has(page) || !this.#aim.wait(since)) this.#take(page, answer);
        else [this.#old, this.#since] = [true, since];
      })
      .finally(() => {
        if (this.#loading.get(page) === reading) this.#loading.delete(page);
      });
    this.#loading.set(page, reading);
    // Whoever scrolls has nobody to tell; a lost agent is noticed by the event stream.
    reading.catch(() => null);
    return reading;
  }

  #take(page, { downloads, heads = [], total, count, again }) {
    for (const { id } of this.#pages.get(page) ?? []) if (this.#places.get(id) === page) this.#places.delete(id);
    this.#pages.delete(page);
    const rows = [...downloads];
    for (const head of heads)
      if (head.at >= page * PAGE) rows.splice(head.at - page * PAGE, 0, { ...head, id: head.batch.id, isHead: true });
    this.#pages.set(page, rows);
    this.#heads.set(page, heads);
    for (const { id } of rows) this.#places.set(id, page);
    this.total = total;
    this.count = count ?? total;
    this.isRead = true;
    this.#forget();
    if (again) this.renew(again * 1000);
    this.#tell();
  }

  #forget() {
    const inSight = new Set(this.#pagesInSight());
    for (const page of this.#pages.keys()) {
      if (this.#pages.size <= KEPT) return;
      if (inSight.has(page)) continue;
      for (const { id } of this.#pages.get(page)) if (this.#places.get(id) === page) this.#places.delete(id);
      this.#pages.delete(page);
      this.#heads.delete(page);
    }
  }

  #rereadAtRest() {
    const wait = this.#aim.wait(this.#since);
    if (wait) this.#timer = setTimeout(() => this.#rereadAtRest(), wait);
    else this.#reread();
  }

  async #reread() {
    const since = this.#since;
    this.#old = false;
    this.#since = Infinity;
    const inSight = this.#pagesInSight();
    // What is out of sight is read when it comes into sight.
    for (const page of [...this.#pages.keys()]) if (!inSight.includes(page)) this.#pages.delete(page);
    const trouble = await Promise.all(inSight.map((page) => this.#load(page, since))).then(
      () => null,
      (error) => error,
    );
    this.#timer = 0;
    if (trouble && isBusy(trouble)) this.renew(AGAIN);
    else if (this.#old) this.renew();
  }

  #tell() {
    this.dispatchEvent(new Event("rows"));
  }
}
