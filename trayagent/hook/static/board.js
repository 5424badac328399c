// What the page knows of the whole queue: the agent's counts, what runs right now, and what was asked together.
// Rows of the list are not here: `listing.js` holds those in sight.
import { isBusy, query } from "./api.js";

const RECOUNT = 700; // milliseconds between two looks at the counts
const AGAIN = 3000; // milliseconds until what could not be read is asked for once more
const TICK = 120; // milliseconds in which several events become one repaint
const BATCHES = 60; // batches that the side of the page knows
const MINUTE = 60; // seconds of speed that are remembered

/**
 * Folds the event stream. Its own events: `moved` (bytes and speed of what runs), `changed` (a download is in another
 * state, or new: detail is the list of them), `status`, `counts`, `batches`, `second` (one more figure of speed), and
 * `event` with each event of the stream as it is.
 */
export class Board extends EventTarget {
  #api;
  #dirty = new Set();
  #changed = new Map();
  #timers = {};
  #clock = 0;

  constructor(api) {
    super();
    this.#api = api;
    this.status = {};
    this.counts = { states: {}, types: {} };
    this.batches = [];
    this.active = new Map();
    this.speeds = new Array(MINUTE).fill(0);
    this.speedsOf = new Map();
  }

  /** Reads everything again; also after `reset`, and after a lost connection. */
  async load() {
    const [status, counts, running, batches] = await Promise.all([
      this.#api.get("status"),
      this.#api.get("downloads/counts"),
      this.#api.get(`downloads${query({ state: "active", limit: 100 })}`),
      this.#api.get(`batches${query({ limit: BATCHES })}`),
    ]);
    Object.assign(this, { status, counts, batches: batches.batches });
    this.active = new Map(running.downloads.map((download) => [download.id, download]));
    this.#clock ||= setInterval(() => this.#second(), 1000);
    for (const what of ["status", "counts", "batches", "moved"]) this.#tell(what);
    this.#change({ id: "" });
  }

  /** The figures of the whole last minute of one download, one a second, the newest last. */
  speedOf(id) {
    return this.speedsOf.get(id) ?? [];
  }

  get speed() {
    let sum = 0;
    for (const { speed } of this.active.values()) sum += speed ?? 0;
    return sum;
  }

  /** One event of the stream. */
  fold(name, data) {
    if (name === "download.progress") this.#progress(data);
    else if (name.startsWith("download.")) this.#download(name, data);
    else if (name.startsWith("batch.")) this.#later("batches", () => this.#readBatches());
    else if (name === "queue.reordered") this.#change({ id: "" });
    else if (name.startsWith("queue.")) {
      this.status = { ...this.status, paused: name === "queue.paused", paused_until: data?.until ?? null };
      this.#tell("status");
      this.#recount();
    }
    this.dispatchEvent(new CustomEvent("event", { detail: { name, data } }));
  }

  #progress({ id, received, size, speed }) {
    const download = this.active.get(id);
    if (!download) return;
    this.active.set(id, { ...download, received, size, speed });
    this.#tell("moved");
  }

  #download(name, data) {
    if (data.state === "active" && name !== "download.removed") this.active.set(data.id, data);
    else if (this.active.delete(data.id)) this.speedsOf.delete(data.id);
    this.#change(name === "download.removed" ? { id: data.id, removed: true } : data);
    this.#recount();
    if (data.batch) this.#later("batches", () => this.#readBatches());
  }

  #change(download) {
    this.#changed.set(download.id, download);
    this.#tell("changed");
  }

  #second() {
    this.speeds = [...this.speeds.slice(1), this.speed];
    for (const [id, { speed }] of this.active)
      this.speedsOf.set(id, [...(this.speedsOf.get(id) ?? []), speed ?? 0].slice(-MINUTE));
    this.dispatchEvent(new Event("second"));
  }

  #recount() {
    this.#later("counts", async () => {
      const [status, counts] = await Promise.all([this.#api.get("status"), this.#api.get("downloads/counts")]);
      Object.assign(this, { status, counts });
      this.#tell("status");
      this.#tell("counts");
    });
  }

  async #readBatches() {
    this.batches = (await this.#api.get(`batches${query({ limit: BATCHES })}`)).batches;
    this.#tell("batches");
  }

  /** Runs `work` soon, however often it is asked for meanwhile; once more where the agent was too busy to answer. */
  #later(what, work, wait = RECOUNT) {
    this.#timers[what] ??= setTimeout(() => {
      this.#timers[what] = undefined;
      work().catch((error) => {
        if (isBusy(error)) this.#later(what, work, AGAIN);
      });
    }, wait);
  }

  #tell(what) {
    this.#dirty.add(what);
    this.#timers.tell ??= setTimeout(() => {
      this.#timers.tell = undefined;
      const dirty = [...this.#dirty];
      this.#dirty.clear();
      for (const each of dirty) {
        let detail = null;
        if (each === "changed") {
          detail = [...this.#changed.values()];
          this.#changed.clear();
        }
        this.dispatchEvent(new CustomEvent(each, { detail }));
      }
    }, TICK);
  }
}
