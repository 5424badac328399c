// The options page: the question before pairing, connection, takeover, video pages, access, keyboard.
import { showConnection } from "./connection.js";
import { ask, at, h } from "./dom.js";
import { changeOptions, chosenOptions } from "./settings.js";
import { isTakingOver, KINDS, setTakeover } from "./takeover.js";
import { t, translate } from "./text.js";
import { TRAFFIC } from "./traffic.js";

/** The question that stands on the page: only that one is answered. */
let shown = null;

const showLink = () =>
  showConnection(at("connection"), async ({ state, port }) => {
    const connected = state === "connected";
    at("connection").hidden = connected || state === "unanswered";
    at("link").hidden = !connected;
    at("link").textContent = connected ? t("connected_on_port", port) : "";
    if (connected && location.hash === "#welcome") at("hello").textContent = t("hello_paired");
    // A pairing that the agent knows no longer must be forgotten here, too, before there can be another.
    const { pairing } = await chrome.storage.local.get("pairing");
    at("forget").hidden = !pairing;
  });

async function showAsked() {
  const { asked } = await chrome.storage.local.get("asked");
  shown = asked ? { port: asked.port, client: asked.client } : null;
  at("asked").hidden = !asked;
  if (asked) at("asked-text").textContent = t("asked_text", asked.port);
}

async function answer(yes) {
  if (!shown) return;
  const said = await ask({ do: "pairing-answered", yes, asked: shown });
  await showAsked();
  await showLink();
  if (yes && said.startsWith("failed")) {
    at("link").hidden = false;
    at("link").textContent = said.replace(/^failed: /, "");
  }
}

async function forgetPairing() {
  await chrome.storage.local.remove(["pairing", "asked"]);
  await showAsked();
  await showLink();
}

async function showTakeover() {
  const { takeover } = await chosenOptions();
  at("takeover").checked = isTakingOver(takeover);
  at("rules").hidden = !isTakingOver(takeover);
  at("smallest").value = takeover.smallest / 1e6;
  at("except").value = takeover.except;
  at("kinds").replaceChildren(
    ...KINDS.map((kind) =>
      h(
        "label",
        { class: "check" },
        h("input", { type: "checkbox", value: kind, checked: takeover.kinds.includes(kind), onchange: changeRules }),
        t(`kind_${kind}`),
      ),
    ),
  );
}

async function switchTakeover() {
  await setTakeover(at("takeover").checked);
  await showTakeover();
}

async function changeRules() {
  const { takeover } = await chosenOptions();
  const kinds = [...at("kinds").querySelectorAll("input:checked")].map(({ value }) => value);
  const smallest = Math.max(0, Number(at("smallest").value) || 0) * 1e6;
  await changeOptions({ takeover: { ...takeover, kinds, smallest, except: at("except").value.trim() } });
}

async function switchTraffic() {
  const change = at("traffic").checked ? "request" : "remove";
  await chrome.permissions[change](TRAFFIC).catch(() => null);
  at("traffic").checked = await chrome.permissions.contains(TRAFFIC);
}

async function showKeys() {
  const commands = await chrome.commands.getAll();
  at("keys").replaceChildren(
    ...commands.map(({ name, description, shortcut }) =>
        h(
          "li",
          { class: "row" },
          h("kbd", {}, shortcut || t("no_key")),
          name === "_execute_action" ? t("open_popup") : description,
        ),
      ),
  );
}

function changeKeys() {
  if (chrome.commands.openShortcutSettings) chrome.commands.openShortcutSettings();
  else chrome.tabs.create({ url: "chrome://extensions/shortcuts" });
}

async function start() {
  translate();
  if (location.hash === "#welcome") {
    at("heading").textContent = t("welcome");
    at("hello").hidden = false;
  }
  const options = await chosenOptions();
  for (const name of ["quality", "subtitles"]) {
    at(name).value = options[name];
    at(name).addEventListener("change", () => changeOptions({ [name]: at(name).value.trim() }));
  }
  for (const name of ["smallest", "except"]) at(name).addEventListener("change", changeRules);
  at("takeover").addEventListener("change", switchTakeover);
  at("traffic").addEventListener("change", switchTraffic);
  at("accept").addEventListener("click", () => answer(true));
  at("decline").addEventListener("click", () => answer(false));
  at("forget").addEventListener("click", forgetPairing);
  at("open-dashboard").addEventListener("click", () => ask({ do: "dashboard" }));
  at("change-keys").addEventListener("click", changeKeys);
  // Another pairing page may ask while this one is open; and the popup has a switch, too.
  chrome.storage.onChanged.addListener(({ asked, options: changed }) => {
    if (asked) showAsked();
    if (changed) showTakeover();
  });
  const inPrivate = await chrome.extension.isAllowedIncognitoAccess();
  at("private").textContent = t(inPrivate ? "private_allowed" : "private_not_allowed");
  at("traffic").checked = await chrome.permissions.contains(TRAFFIC);
  await Promise.all([showAsked().then(showLink), showTakeover(), showKeys()]);
}

start();
