// What is done with downloads. What would cost bytes or a line of the list can be undone for a moment: it is only
// carried out when nobody has said otherwise.
import { nameOf } from "./format.js";
import { asked } from "./say.js";
import { LEAVING, SAY } from "./words.js";

const UNDO = 7000; // milliseconds to think again
const PORTION = 4000; // ids in one request: its body may have 256 KiB
const OPEN = new Set(["active", "queued", "paused"]);
const isOpen = ({ state }) => OPEN.has(state);
/** The states in which the agent does it, of what it does not do in all of them. */
const STATES_FOR = {
  pause: ["queued", "active"],
  resume: ["paused"],
  retry: ["failed", "cancelled"],
  first: ["queued", "paused"],
  last: ["queued", "paused"],
  cancel: [...OPEN],
  trash: ["completed"],
};

/** Whether a verb does anything to a download. Of one that was ticked unread, with all others, nobody knows: it is tried. */
export function canDo(verb, { state, not_before: later }) {
  if (verb === "retry" && state === "queued" && later) return true; // it waits for its next try, and is tried at once
  return !state || (STATES_FOR[verb]?.includes(state) ?? true);
}

/** The agent would not do it for some; the message says why. */
class RefusedError extends Error {}

/** Carries out verbs on one download or many. Tells `leaving` when what is about to go has changed. */
export class Acts extends EventTarget {
  #leaving = new Map(); // id → {word, undo}
  #waiting = new Set(); // what is carried out unless it is undone

  constructor(api, messages) {
    super();
    Object.assign(this, { api, messages });
    // A page that is closed has nobody left who could undo.
    addEventListener("pagehide", () => [...this.#waiting].forEach((later) => later.finish({ keepalive: true })));
  }

  /** `run("pause", [download, …])`. */
  run = (verb, downloads) =>
    this.messages.trying(() =>
      verb in this ? this[verb](downloads) : this.#ask(downloads.map(({ id }) => id), verb),
    );

  /** What is said of a download that is about to go, or null. */
  leaving(id) {
    return this.#leaving.get(id) ?? null;
  }

  async cancel(downloads) {
    const open = downloads.filter(isOpen).map(({ id }) => id);
    if (!open.length) return;
    const resume = await this.#stop(downloads);
    this.#later(downloads, LEAVING.cancel, SAY.cancelled, {
      finish: (how) => this.#ask(open, "cancel", {}, how),
      undo: resume,
    });
  }

  async remove(downloads) {
    const resume = await this.#stop(downloads);
    this.#later(downloads, LEAVING.remove, SAY.removed, {
      finish: (how) => this.#ask(downloads.map(({ id }) => id), "remove", {}, how),
      undo: resume,
    });
  }

  /** Nothing is lost yet: what is under way only stops. Returns what lets it go on again. */
  async #stop(downloads) {
    const open = downloads.filter(isOpen);
    // Also what is paused as far as we know: it may have been resumed a moment ago.
    await this.#ask(open.map(({ id }) => id), "pause").catch((error) => {
      if (!(error instanceof RefusedError)) throw error; // else it has just ended by itself
    });
    const going = open.filter(({ state }) => state !== "paused").map(({ id }) => id);
    return () => this.#ask(going, "resume");
  }

  /** The file goes to the trash, and its line off the list. */
  trash(downloads) {
    this.#later(downloads, LEAVING.trash, SAY.trashed, {
      finish: async (how) => {
        for (const { id } of downloads) await this.api.delete(`downloads/${id}?files=true`, how);
      },
      undo: () => null,
    });
  }

  again(downloads) {
    return this.retry(downloads);
  }

  retry(downloads) {
    return this.#ask(downloads.map(({ id }) => id), "retry");
  }

  first(downloads) {
    return this.#ask(downloads.map(({ id }) => id), "top");
  }

  last(downloads) {
    return this.#ask(downloads.map(({ id }) => id), "bottom");
  }

  up(downloads) {
    return this.#ask(downloads.map(({ id }) => id), "up");
  }

  down(downloads) {
    return this.#ask(downloads.map(({ id }) => id), "down");
  }

  /** Before the download `id`; null: behind all others. */
  before(downloads, id) {
    const ids = downloads.map((download) => download.id);
    return this.messages.trying(() => (id ? this.#ask(ids, "before", { before: id }) : this.#ask(ids, "bottom")));
  }

  open([download]) {
    return this.show(download.id, "file");
  }

  folder([download]) {
    return this.show(download.id, "folder");
  }

  /** Opens the file or its folder on this desktop. */
  show(id, what) {
    return this.api.post(`downloads/${id}/open`, { what });
  }

  /** To a folder from this desktop's own dialog; where there is none, its path is typed. */
  async move([download]) {
    const start = download.path.replace(/[^/\\]*$/, "");
    const folder = await this.api
      .post("desktop/choose-folder", { start })
      .then((answer) => answer.folder)
      .catch((error) => {
        if (error.code !== "no_dialog") throw error;
        return asked(SAY.moveTitle, SAY.moveText, SAY.moveYes, { type: "text", value: start, spellcheck: "false" });
      });
    if (!folder) return;
    const { path } = await this.api.post(`downloads/${download.id}/move`, { folder });
    if (!path.startsWith(folder)) this.messages.tell(SAY.moving(nameOf(download), folder));
  }

  async relink([download]) {
    const url = await asked(SAY.freshTitle, SAY.freshText, SAY.freshYes, { type: "url", placeholder: "https://…" });
    if (url) await this.api.patch(`downloads/${download.id}`, { url });
  }

  async change(download, words) {
    await this.api.patch(`downloads/${download.id}`, words);
    this.messages.tell(SAY.changed, "good");
  }

  async copy([{ path }]) {
    await navigator.clipboard.writeText(path);
    this.messages.tell(SAY.copied(path));
  }

  async copyLink(downloads) {
    await navigator.clipboard.writeText(downloads.map(({ url }) => url).join("\n"));
    this.messages.tell(downloads.length === 1 ? SAY.copied(downloads[0].url) : SAY.copiedLinks(downloads.length));
  }

  // The new state arrives as an event: an answer may be older than what we know by then.
  async #ask(ids, action, more = {}, how = {}) {
    let refused = [];
    for (let start = 0; start < ids.length; start += PORTION) {
      const body = { ids: ids.slice(start, start + PORTION), action, ...more };
      const { results } = await this.api.post("downloads/actions", body, {}, how);
      refused = [...refused, ...results.filter(({ error }) => error)];
    }
    if (!refused.length) return;
    const why = refused[0].error.message;
    throw new RefusedError(ids.length === 1 ? why : SAY.someRefused(refused.length, ids.length, why));
  }

  #later(downloads, word, sentence, { finish, undo }) {
    const later = {};
    const settle = () => {
      clearTimeout(timer);
      this.#waiting.delete(later);
      quiet();
      for (const { id } of downloads) this.#leaving.delete(id);
      this.dispatchEvent(new Event("leaving"));
    };
    later.finish = async (how) => {
      await this.messages.trying(() => finish(how));
      settle();
    };
    later.undo = async () => {
      settle();
      await this.messages.trying(undo);
    };
    const what = downloads.length === 1 ? nameOf(downloads[0]) : SAY.downloads(downloads.length);
    const quiet = this.messages.tell(sentence(what), "", [[SAY.undo, later.undo]]);
    const timer = setTimeout(() => later.finish(), UNDO);
    this.#waiting.add(later);
    for (const { id } of downloads) this.#leaving.set(id, { word, undo: later.undo });
    this.dispatchEvent(new Event("leaving"));
  }
}
