// The one way in: whether trayagent can be reached, and the button that helps when it cannot.
// Popup and options page show it.
import { ask, h } from "./dom.js";
import { t } from "./text.js";

/*
 * | state      | the browser can start it | the button            | what it does                          |
 * |------------|--------------------------|-----------------------|---------------------------------------|
 * | down       | yes                      | Start trayagent       | starts it, and looks again            |
 * | down       | no                       | Try again             | looks again                           |
 * | unpaired   | yes                      | Pair with port N      | pairs: the click is the person's yes  |
 * | unpaired   | no                       | Pair now              | opens the dashboard's pairing         |
 * | unanswered | –                        | Answer                | shows the question in the options     |
 */
const BUTTONS = {
  down: ({ host }) => (host ? ["start_trayagent", start] : ["try_again", async () => null]),
  unpaired: ({ host }) => (host ? ["pair_now", pair] : ["pair_now", pairInDashboard]),
  unanswered: () => ["answer_question", async () => chrome.tabs.create({ url: "options.html#pair" })],
};

const start = async () => ask({ do: "start" });
const pair = async ({ port }) => ask({ do: "pair-here", port });
const pairInDashboard = async () => ask({ do: "dashboard", view: "#browsers" });

function sentence({ state, message, port, host }) {
  if (state === "unpaired" && host) return t("pair_with_port", port);
  if (state === "unpaired") return `${message} ${t("pair_in_dashboard")}`;
  if (state === "down" && !host) return `${message} ${t("start_by_hand")}`;
  return message;
}

/** Shows how things stand in `place`, and calls `changed(connection)` each time that is known. */
export async function showConnection(place, changed) {
  const connection = await ask({ do: "connection" });
  changed(connection);
  if (connection.state === "connected") return place.replaceChildren();
  const [label, act] = BUTTONS[connection.state](connection);
  const trouble = h("p", { class: "trouble", role: "alert", hidden: true });
  const button = h("button", { type: "button", class: "primary", id: "way-in" }, t(label));
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = t(label === "start_trayagent" ? "starting" : "one_moment");
    const said = await act(connection);
    if (said?.ok === false) trouble.textContent = [said.message, said.action].filter(Boolean).join(" ");
    await showConnection(place, changed);
    if (trouble.textContent) place.append(trouble);
    trouble.hidden = false;
  });
  place.replaceChildren(h("p", {}, sentence(connection)), h("div", { class: "row" }, button));
}
