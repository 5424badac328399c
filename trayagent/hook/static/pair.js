// The pairing page: the extension's content script reads the code from the fragment and reports here,
// in the attribute data-pairing of the document: "asking", "done", or "failed: why".

const PATIENCE = 4000; // milliseconds until we conclude that there is no extension

const at = (id) => document.getElementById(id);
const root = document.documentElement;

function say(heading, sentence, kind) {
  at("heading").textContent = heading;
  at("outcome").textContent = sentence;
  at("outcome").className = `note ${kind}`;
}

const forgetCode = () => history.replaceState(null, "", "/pair");

function report() {
  const state = root.dataset.pairing ?? "";
  if (!state) return;
  clearTimeout(giveUp);
  at("install").hidden = true;
  forgetCode();
  if (state === "done") say("Paired", "This browser can now send to trayagent. You can close this page.", "good");
  else if (state === "asking")
    say("Pairing this browser…", "The extension opened a page with a question: answer there.", "");
  else say("Not paired", state.replace(/^failed:\s*/, "") || "Pairing failed. Try again.", "bad");
}

function noExtension() {
  forgetCode();
  say("No extension answered", "The code on this page works once, for two minutes.", "warn");
  at("install").hidden = false;
}

const giveUp = setTimeout(noExtension, location.hash.startsWith("#code=") ? PATIENCE : 0);
new MutationObserver(report).observe(root, { attributeFilter: ["data-pairing"] });
report();
