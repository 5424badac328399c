// What the page knows of the queue: the rows in sight, folded from events, and the agent's own counts.
import { query } from "./api.js";

const LIVE = ["active", "paused", "queued"];
const SHOWN = 60; // rows asked for in each state
const RECENT = 12;
const MANY = 4 * SHOWN; // with more rows than this in memory, the oldest settled ones are forgotten

export class Board extends EventTarget {
  #api;
  #dirty = new Set();
  #timers = {};

  constructor(api) {
    super();
    this.#api = api;
    this.status = null;
    this.downloads = new Map();
  }

  /** Reads everything again; also after `reset`, and after a lost connection. */
  async load() {
    const wanted = [...LIVE.map((state) => [state, SHOWN]), ["failed", SHOWN], ["completed", RECENT]];
    const pages = await Promise.all(
      wanted.map(([state, limit]) => this.#api.get(`downloads${query({ state, limit })}`)),
    );
    this.status = await this.#api.get("status");
    this.downloads = new Map(pages.flatMap((page) => page.downloads).map((download) => [download.id, download]));
    this.#tell("downloads");
    this.#tell("status");
  }

  /** The rows in one of the states, oldest first; finished ones newest first. */
  rows(...states) {
    const found = [...this.downloads.values()].filter((download) => states.includes(download.state));
    const settled = (download) => download.finished_at ?? download.created_at ?? "";
    return LIVE.includes(states[0])
      ? found.sort(
          (a, b) =>
            LIVE.indexOf(a.state) - LIVE.indexOf(b.state) || (a.created_at ?? "").localeCompare(b.created_at ?? ""),
        )
      : found.sort((a, b) => settled(b).localeCompare(settled(a)));
  }

  /** One event of the stream. */
  fold(name, data) {
    if (name === "download.progress") this.#progress(data);
    else if (name === "download.removed") {
      this.downloads.delete(data.id);
      this.#tell("downloads");
      this.#recount();
    } else if (name.startsWith("download.")) {
      this.put(data);
      this.#recount();
    } else if (name.startsWith("queue.")) this.#pause(name === "queue.paused", data?.until ?? null);
    this.dispatchEvent(new CustomEvent("event", { detail: { name, data } }));
  }

  /** A download as an answer or event gave it. */
  put(download) {
    const { id, state } = download;
    // Of very many waiting ones, only the first are kept in sight; the counts tell of the others.
    if (state === "queued" && !this.downloads.has(id) && this.downloads.size >= MANY) return;
    this.downloads.set(id, download);
    if (this.downloads.size > MANY) this.#forget();
    this.#tell("downloads");
  }

  #progress({ id, received, size, speed }) {
    const download = this.downloads.get(id);
    if (!download) return;
    this.downloads.set(id, { ...download, received, size, speed });
    this.#tell("downloads");
  }

  #pause(paused, until) {
    this.status = { ...this.status, paused, paused_until: until };
    this.#tell("status");
    this.#recount();
  }

  #forget() {
    const done = [...this.rows("completed", "cancelled").slice(RECENT), ...this.rows("failed").slice(SHOWN)];
    for (const { id } of done) this.downloads.delete(id);
  }

  /** Asks the agent for its counts, at most once a second; and for more waiting rows when ours run out. */
  #recount() {
    this.#later("status", 1000, async () => {
      this.status = await this.#api.get("status");
      this.#tell("status");
      const waiting = this.rows("queued").length;
      if (waiting < SHOWN / 2 && this.status.queued > waiting) await this.#more();
    });
  }

  async #more() {
    const page = await this.#api.get(`downloads${query({ state: "queued", limit: SHOWN })}`);
    page.downloads.forEach((download) => this.put(download));
  }

  #later(what, delay, work) {
    this.#timers[what] ??= setTimeout(() => {
      this.#timers[what] = undefined;
      work().catch(() => {
        /* The event stream notices a lost agent, and loads again. */
      });
    }, delay);
  }

  /** Many events in one moment repaint once. */
  #tell(what) {
    this.#dirty.add(what);
    this.#timers.tell ??= setTimeout(() => {
      this.#timers.tell = undefined;
      const dirty = [...this.#dirty];
      this.#dirty.clear();
      for (const each of dirty) this.dispatchEvent(new Event(each));
    }, 60);
  }
}
