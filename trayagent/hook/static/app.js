// The dashboard: opens a session with the one-time code, keeps the board fresh, shows one view at a time.
import { Acts } from "./acts.js";
import { Adder } from "./adder.js";
import { Api } from "./api.js";
import { Board } from "./board.js";
import { Config } from "./config.js";
import { acceptDrops } from "./drops.js";
import { Messages } from "./say.js";
import { StatusLine } from "./status-line.js";
import { BatchesView } from "./view-batches.js";
import { BrowsersView } from "./view-browsers.js";
import { HistoryView } from "./view-history.js";
import { ImagesView } from "./view-images.js";
import { QueueView } from "./view-queue.js";
import { SettingsView } from "./view-settings.js";

const VIEWS = {
  queue: QueueView,
  history: HistoryView,
  lists: BatchesView,
  images: ImagesView,
  browsers: BrowsersView,
  settings: SettingsView,
};
const SIGNED_OUT = "This page was signed out. Open it again from the tray icon, or with: trayagent dashboard";
const ASK_AGAIN = 20_000; // milliseconds; the agent asks a person no more often
const at = (id) => document.getElementById(id);

/** What a fragment names: a view, or with `d42` that download in the history. Null: nothing we have. */
function place(fragment) {
  if (/^d\d+$/.test(fragment)) return { name: "history", id: fragment };
  return Object.hasOwn(VIEWS, fragment) ? { name: fragment, id: null } : null;
}

/** The one-time code of `/#code=…&view=…`, taken out of the address at once; the view stays. */
function takeCode() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const code = asked.get("code"),
    view = asked.get("view") ?? "";
  if (code) history.replaceState(null, "", place(view) ? `/#${view}` : "/");
  return code;
}

async function start() {
  const code = takeCode();
  const kept = Api.kept();
  if (!code && !kept) return lock("This page opens from the tray icon, or with: trayagent dashboard");
  try {
    await open(kept && !code ? kept : await Api.open(code));
  } catch (error) {
    if (error instanceof TypeError) return lock("trayagent does not answer.");
    if (error.status === 401) Api.forget();
    // A code that was spent: a tab that is open already goes on with the session it has.
    if (code && kept) return start();
    lock(
      code
        ? "This link was used already, or is too old. Open the page again from the tray icon, or with: trayagent dashboard"
        : SIGNED_OUT,
    );
  }
}

async function open(api) {
  const board = new Board(api);
  const config = new Config(api);
  await Promise.all([board.load(), config.load()]);
  const messages = new Messages(at("messages"));
  const dropFolder = () => config.at("drop.folder");
  const adder = new Adder(api, messages, dropFolder);
  const parts = { api, board, config, messages, adder, dropFolder, acts: new Acts(api, messages) };
  const status = new StatusLine(parts, { line: at("status"), tools: at("queue-tools"), banner: at("banner") });
  acceptDrops(adder, at("curtain"));
  at("locked").hidden = true;
  at("shell").hidden = false;
  new Router(parts).start();
  follow(api, board, status);
}

/** After these the board is read again: a new connection, events lost, a whole list entered, or left, at once. */
const REREAD = new Set(["", "reset", "batch.queued", "batch.finished"]);

/** Follows the event stream for good. What happens while the board is read waits in the stream, so nothing is missed. */
async function follow(api, board, status) {
  for (let failures = 0; ; failures += 1) {
    try {
      for await (const { name, data } of api.events()) {
        if (REREAD.has(name)) await board.load();
        if (name) board.fold(name, data);
        status.connected(true);
        failures = 0;
      }
    } catch (error) {
      if (error.status === 401) {
        Api.forget();
        return lock(SIGNED_OUT);
      }
      if (!(error instanceof TypeError) && !error.status) console.error(error);
    }
    status.connected(failures < 1);
    await new Promise((resolve) => setTimeout(resolve, Math.min(10_000, 500 * 2 ** failures)));
  }
}

class Router {
  #views = {};
  #current = null;

  constructor(parts) {
    this.parts = parts;
  }

  start() {
    addEventListener("hashchange", () => this.#go(true));
    this.#go(false);
  }

  #go(byHand) {
    const { name, id } = place(location.hash.slice(1)) ?? { name: "queue", id: null };
    this.#current?.hide?.();
    this.#current = this.#views[name] ??= new VIEWS[name](this.parts);
    document.title = `${this.#current.title} · trayagent`;
    at("page-title").textContent = this.#current.title;
    at("view").replaceChildren(this.#current.element);
    for (const link of document.querySelectorAll("nav a"))
      if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    if (byHand) {
      scrollTo(0, 0);
      at("main").focus({ preventScroll: true });
    }
    this.#show(this.#current, id);
  }

  /** Fills a view; until it is full, it counts as busy. */
  async #show(view, id) {
    at("view").setAttribute("aria-busy", "true");
    await view.show(id);
    if (view === this.#current) at("view").setAttribute("aria-busy", "false");
  }
}

function lock(sentence) {
  at("shell").hidden = true;
  at("locked").hidden = false;
  at("ask").hidden = false;
  at("locked-reason").textContent = sentence;
  document.title = "trayagent";
}

async function ask() {
  at("ask").disabled = true;
  await Api.ask().catch(() => null);
  at("locked-reason").textContent = "Look at the notification, or at the tray icon: “Open dashboard”.";
  setTimeout(() => {
    at("ask").disabled = false;
  }, ASK_AGAIN);
}

at("ask").addEventListener("click", ask);
start();
