// The confirm page: shows what would be downloaded, and sends it only after a real, unhurried click.
import { fromFragment, judge, oddities } from "./address.js";

const ARM_AFTER = 600; // milliseconds in sight and in focus, against clicks meant for another window
const CLOSE_AFTER = 1200; // milliseconds to read that it worked

const at = (id) => document.getElementById(id);
const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

const asked = fromFragment(location.hash);
history.replaceState(null, "", "/send");
const { address, refusal } = judge(asked.url);

function describe() {
  const folder = meta("folder");
  at("where").textContent = `It goes to ${folder && !folder.startsWith("{{") ? folder : "your downloads folder"}.`;
  at("host").textContent = address.host;
  at("title").textContent = asked.title;
  at("title").hidden = !asked.title;
  at("address").textContent = address.href;
  for (const sentence of oddities(address)) {
    const line = document.createElement("li");
    line.className = "note warn small";
    line.textContent = sentence;
    at("warnings").append(line);
  }
}

function refuse(sentence) {
  at("heading").textContent = "Nothing to download";
  for (const id of ["what", "where", "send"]) at(id).hidden = true;
  at("close").textContent = "Close";
  tell(sentence, "warn");
}

function tell(sentence, kind) {
  at("outcome").className = `note ${kind}`;
  at("outcome").textContent = sentence;
  at("outcome").hidden = false;
}

/** Enables the button once the page has been visible and focused for a while, until the signal ends it. */
function keepArmed(button, signal) {
  let timer = 0;
  const disarm = () => {
    clearTimeout(timer);
    timer = 0;
    button.classList.remove("arming");
  };
  const arm = () => {
    disarm();
    button.disabled = false;
  };
  const look = () => {
    const seen = document.visibilityState === "visible" && document.hasFocus();
    if (!seen) {
      disarm();
      button.disabled = true;
    } else if (button.disabled && !timer) {
      button.classList.add("arming");
      timer = setTimeout(arm, ARM_AFTER);
    }
  };
  const watcher = setInterval(look, 150);
  for (const [target, event] of [
    [window, "focus"],
    [window, "blur"],
    [document, "visibilitychange"],
  ])
    target.addEventListener(event, look, { signal });
  signal.addEventListener("abort", () => {
    clearInterval(watcher);
    disarm();
  });
  look();
}

async function send() {
  const answer = await fetch("/api/v1/confirm", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ nonce: meta("nonce"), url: address.href, title: asked.title }),
  });
  const body = await answer.json().catch(() => ({}));
  if (answer.status === 403) throw new Error("This page is too old. Close it and click the bookmark again.");
  if (!answer.ok)
    throw new Error(body.rejected?.[0]?.message ?? body.error?.message ?? `trayagent answered ${answer.status}.`);
  return body.downloads?.[0] ?? {};
}

function leave() {
  window.close();
  // Where the bookmark had to use this tab, closing is not allowed: go back to the page instead.
  setTimeout(() => history.length > 1 && history.back(), 150);
}

function succeed(download) {
  at("heading").textContent = download.duplicate_of ? "Already here" : "On its way";
  tell(
    download.duplicate_of
      ? `You have it: ${download.path ?? "see the history"}.`
      : "trayagent downloads it now. You can close this window.",
    "good",
  );
  for (const id of ["where", "warnings", "send"]) at(id).hidden = true;
  at("close").textContent = "Close";
  setTimeout(leave, CLOSE_AFTER);
}

async function onClick(event, arming) {
  const button = at("send");
  if (!event.isTrusted || button.disabled) return;
  arming.abort();
  button.disabled = true;
  button.textContent = "Sending…";
  try {
    succeed(await send());
  } catch (error) {
    const down = error instanceof TypeError;
    tell(down ? "trayagent does not answer. Start it and click the bookmark again." : error.message, "bad");
    button.hidden = true;
    at("close").textContent = "Close";
  }
}

function start() {
  at("close").addEventListener("click", leave);
  // The bookmark was clicked again for this very tab: a new address needs a new nonce.
  addEventListener("hashchange", () => location.reload());
  if (refusal) return refuse(refusal);
  describe();
  const arming = new AbortController();
  keepArmed(at("send"), arming.signal);
  at("send").addEventListener("click", (event) => onClick(event, arming));
  // A key held down on the page before must not press our button.
  addEventListener("keydown", (event) => {
    if (event.repeat) event.preventDefault();
  });
}

start();
