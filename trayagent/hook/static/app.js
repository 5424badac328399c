// The dashboard: opens a session with the one-time code, follows the event stream, shows one view at a time.
import { Acts } from "./acts.js";
import { Adder } from "./adder.js";
import { Api, isBusy, isSignedOut } from "./api.js";
import { Board } from "./board.js";
import { Config } from "./config.js";
import { acceptDrops, acceptPastes } from "./drops.js";
import { Messages } from "./say.js";
import { AddDialog } from "./views/add.js";
import { ListView, listOf } from "./views/list.js";
import { Side } from "./views/side.js";
import { Speed } from "./views/speed.js";
import { Notices } from "./notices.js";
import { SAY } from "./words.js";

/**
 * The views beside the list, read when they are first looked at; each has a title, an element, `show()` and perhaps
 * `hide()`.
 */
const VIEWS = {
  images: async () => (await import("./views/images.js")).ImagesView,
  browsers: async () => (await import("./views/browsers.js")).BrowsersView,
  settings: async () => (await import("./views/settings.js")).SettingsView,
  welcome: async () => (await import("./views/welcome.js")).WelcomeView,
};
const ASK_AGAIN = 20_000; // milliseconds; the agent asks a person no more often
const AGAIN = 2000; // milliseconds until an agent that did not answer is asked once more
let isOver = false; // another window shows the dashboard now
const at = (id) => document.getElementById(id);

/** What a fragment names: `{name, id}` of a view or list. Null: nothing we have. */
function place(fragment) {
  return Object.hasOwn(VIEWS, fragment) ? { name: fragment, id: null } : listOf(fragment);
}

/** The one-time code of `/#code=…&view=…`, taken out of the address at once; the view stays. */
function takeCode() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const code = asked.get("code");
  const view = asked.get("view") ?? (location.pathname === "/welcome" ? "welcome" : "");
  if (code || location.pathname !== "/") history.replaceState(null, "", place(view) ? `/#${view}` : "/");
  return code;
}

async function start() {
  const code = takeCode();
  const kept = Api.kept();
  if (!code && !kept) return lock(SAY.locked);
  try {
    await open(kept && !code ? kept : await Api.open(code), Boolean(code));
  } catch (error) {
    if (error instanceof TypeError || isBusy(error)) return wait();
    if (isSignedOut(error)) Api.forget();
    // A code that was spent: a tab that is open already goes on with the session it has.
    if (code && kept) return start();
    lock(code ? SAY.usedCode : SAY.signedOut);
  }
}

async function open(api, isOpenedByHand) {
  const board = new Board(api);
  const config = new Config(api);
  const known = Promise.all([board.load(), config.load()]);
  const messages = new Messages(at("messages"));
  const dropFolder = () => config.at("drop.folder");
  const adder = new Adder(api, messages, dropFolder);
  const addDialog = new AddDialog(adder);
  const acts = new Acts(api, messages);
  const side = new Side(board, { filters: at("filters"), batches: at("batches") });
  const parts = { api, board, config, messages, adder, addDialog, dropFolder, acts, side, search: at("search") };
  const speed = new Speed(parts, { line: at("status"), tools: at("queue-tools"), banner: at("banner") });
  new Notices(parts);
  at("add").addEventListener("click", () => addDialog.open());
  acceptDrops(adder, at("curtain"));
  acceptPastes(adder, addDialog);
  if (isOpenedByHand) takeOver();
  giveWay();
  new Router(parts).start(); // the first rows are read at the same time as everything else
  await known;
  speed.paint();
  at("locked").hidden = true;
  at("shell").hidden = false;
  follow(api, board, speed);
}

const windows = new BroadcastChannel("dashboard"); // all dashboards of this browser

/** Whoever clicked the tray's icon looks at this window now: others make way, so that tabs do not pile up. */
function takeOver() {
  windows.postMessage("opened");
}

/** Another window was opened by hand: this one closes, or where a browser forbids that, says so. */
function giveWay() {
  windows.addEventListener("message", () => {
    isOver = true;
    window.close();
    lock(SAY.elsewhere);
    at("ask").hidden = true;
    at("here").hidden = false;
  });
}

/** After these the board is read again: a new connection, events lost, a whole list entered, or left, at once. */
const REREAD = new Set(["", "reset", "batch.queued", "batch.finished"]);

/** Follows the event stream for good. What happens while the board is read waits in the stream, so nothing is missed. */
async function follow(api, board, speed) {
  for (let failures = 0; !isOver; failures += 1) {
    try {
      for await (const { name, data } of api.events()) {
        if (isOver) return;
        if (REREAD.has(name)) await board.load();
        if (name) board.fold(name, data);
        speed.connected(true);
        failures = 0;
      }
    } catch (error) {
      if (isSignedOut(error)) {
        Api.forget();
        return lock(SAY.signedOut);
      }
      if (!(error instanceof TypeError) && !error.status) console.error(error);
    }
    speed.connected(failures < 1);
    await new Promise((resolve) => setTimeout(resolve, Math.min(10_000, 500 * 2 ** failures)));
  }
}

class Router {
  #views = {};
  #turn = 0;
  #current = null;

  constructor(parts) {
    this.parts = parts;
  }

  start() {
    addEventListener("hashchange", () => this.#go(true));
    this.#go(false);
  }

  async #go(byHand) {
    const { name, id } = place(location.hash.slice(1)) ?? { name: "all", id: null };
    const isList = !Object.hasOwn(VIEWS, name);
    const key = isList ? "list" : name;
    const turn = (this.#turn += 1);
    const View = isList ? ListView : await this.#read(name, turn);
    if (!View || turn !== this.#turn) return; // somebody has gone on already
    const view = (this.#views[key] ??= new View(this.parts));
    if (view !== this.#current) {
      this.#current?.hide?.();
      this.#current = view;
      at("view").className = isList ? "" : "page";
      at("view").replaceChildren(...(isList ? [] : [heading(view.title)]), view.element);
    }
    document.title = `${view.title} · ${SAY.title}`;
    for (const link of document.querySelectorAll("#places a"))
      if (link.hash === (isList ? "#all" : `#${name}`)) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    if (!isList) this.parts.side.mark(null);
    if (byHand && !isList) {
      at("view").scrollTop = 0;
      at("main").focus({ preventScroll: true });
    }
    this.#show(view, id, name);
  }

  /** The class of a view. Null: nothing could be read, and this page begins again when the agent answers. */
  async #read(name, turn) {
    try {
      return await VIEWS[name]();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.parts.messages.tell(SAY.noAnswerTrying, "bad");
    }
    do await new Promise((resolve) => setTimeout(resolve, AGAIN));
    while (turn === this.#turn && !(await Api.isThere()));
    // Many browsers remember for as long as a page lives that a module could not be read: only a new page asks for it again.
    if (turn === this.#turn) location.reload();
    return null;
  }

  /** Fills a view; until it is full, it counts as busy. */
  async #show(view, id, name) {
    at("view").setAttribute("aria-busy", "true");
    await view.show(id, name);
    if (view === this.#current) at("view").setAttribute("aria-busy", "false");
  }
}

function heading(words) {
  const made = document.createElement("h1");
  made.textContent = words;
  return made;
}

function lock(sentence) {
  at("shell").hidden = true;
  at("locked").hidden = false;
  at("ask").hidden = false;
  at("locked-reason").textContent = sentence;
  document.title = SAY.title;
}

/** Locked for as long as the agent does not answer, or is too busy to; then the page starts again. */
async function wait() {
  lock(SAY.noAnswerTrying);
  at("ask").hidden = true;
  do await new Promise((resolve) => setTimeout(resolve, AGAIN));
  while (!(await Api.isThere()));
  location.reload();
}

async function ask() {
  at("ask").disabled = true;
  await Api.ask().catch(() => null);
  at("locked-reason").textContent = SAY.asked;
  setTimeout(() => {
    at("ask").disabled = false;
  }, ASK_AGAIN);
}

at("ask").addEventListener("click", ask);
at("here").addEventListener("click", () => location.reload());
start();
