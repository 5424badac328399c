// Sending from the browser: the extension, paired by a one-time code, and the bookmark that needs no installation.
import { button, h, icon, section } from "../dom.js";
import { extensionSteps } from "../extension-steps.js";
import { ago } from "../format.js";
import { confirmed } from "../say.js";
import { CONNECT } from "../words-settings.js";
import { connectButtons } from "./connect.js";

export class BrowsersView {
  title = "Browsers";
  #visible = false;

  constructor({ api, board, messages, config }) {
    Object.assign(this, { api, messages, config });
    this.clients = h("ul", { class: "plain-list card" });
    this.dashboards = h("ul", { class: "plain-list card" });
    this.bookmark = h("div", { class: "card pad stack" });
    this.element = h(
      "div",
      { class: "view" },
      section(
        "Extension",
        h("div", { class: "stack" }, this.#extension(), this.clients),
        button("Pair this browser", () => this.#pair(), { glyph: "plug" }),
      ),
      section("Bookmark", this.bookmark),
      section(
        CONNECT.heading,
        h(
          "div",
          { class: "card pad stack" },
          h("p", {}, CONNECT.what),
          h("div", { class: "buttons" }, connectButtons(this, () => this.#listClients())),
        ),
      ),
      section("Open dashboards", this.dashboards),
    );
    // A pairing ends in another tab, and a notice tells of it.
    board.addEventListener("event", ({ detail }) => {
      if (this.#visible && detail.name === "notice") this.#listClients();
    });
  }

  async show() {
    this.#visible = true;
    await Promise.all([this.#listClients(), this.#showBookmark()]);
  }

  hide() {
    this.#visible = false;
  }

  #extension() {
    return h(
      "div",
      { class: "card pad stack" },
      h(
        "p",
        {},
        "The extension sends videos, pictures, links and pages from the right-click menu, with one click and without asking again.",
      ),
      extensionSteps(this),
    );
  }

  async #pair() {
    const page = window.open("about:blank", "_blank");
    const made = await this.messages.trying(() => this.api.post("clients/codes"));
    if (!made) return page?.close();
    const address = `${location.origin}/pair#code=${encodeURIComponent(made.code)}`;
    if (page) page.location.href = address;
    else location.href = address;
  }

  async #listClients() {
    const answer = await this.messages.trying(() => this.api.get("clients"));
    if (!answer) return;
    const open = answer.clients.filter(({ kind }) => kind === "session");
    const lines = answer.clients
      .filter((client) => !open.includes(client))
      .map((client) => this.#line(client, "paired", button("Revoke", () => this.#revoke(client), { kind: "danger" })));
    this.dashboards.replaceChildren(
      ...open.map((client) => this.#line(client, "opened", button("End", () => this.#end(client)))),
    );
    this.clients.replaceChildren(
      ...(lines.length ? lines : [h("li", { class: "muted" }, "No browser is paired yet.")]),
    );
  }

  #line(client, since, act) {
    const times = [
      client.created_at ? `${since} ${ago(client.created_at)}` : "",
      client.last_seen ? `last used ${ago(client.last_seen)}` : "",
    ];
    return h(
      "li",
      {},
      icon(client.kind === "session" ? "globe" : "plug"),
      h(
        "div",
        { class: "grow" },
        h("h3", {}, client.name || client.origin || client.id),
        h("p", { class: "muted small" }, times.filter(Boolean).join(" · ")),
      ),
      act,
    );
  }

  async #end(client) {
    await this.messages.trying(() => this.api.delete(`clients/${client.id}`));
    await this.#listClients();
  }

  async #revoke(client) {
    const name = client.name || client.id;
    const [title, text] =
      client.kind in CONNECT.kinds
        ? [CONNECT.revoke, CONNECT.revoked(name)]
        : ["Revoke this browser", `${name} can no longer send until it is paired again.`];
    if (!(await confirmed(title, text, "Revoke", "danger"))) return;
    await this.messages.trying(() => this.api.delete(`clients/${client.id}`));
    await this.#listClients();
  }

  async #showBookmark() {
    const template = await (await fetch("/static/bookmarklet.txt")).text();
    const text = template.trim().replace("PORT", location.port);
    const drag = h(
      "a",
      {
        class: "button primary bookmark",
        href: text,
        draggable: "true",
        onclick: (event) => {
          event.preventDefault();
          this.messages.tell("Drag me to the bookmarks bar; a click here does nothing.");
        },
      },
      icon("down"),
      "Send to trayagent",
    );
    const shown = h("textarea", {
      class: "mono small",
      rows: 3,
      readonly: true,
      "aria-label": "The bookmark’s text",
      value: text,
    });
    const copy = async () => {
      await navigator.clipboard.writeText(text);
      this.messages.tell("Copied. Make a new bookmark and paste it as its address.");
    };
    this.bookmark.replaceChildren(
      h(
        "p",
        {},
        "Works in every browser, without an extension. Drag this button to the bookmarks bar, then click it on any page:",
      ),
      h("div", {}, drag),
      ...this.#stale(),
      h(
        "details",
        { class: "small" },
        h("summary", {}, "Cannot drag? Copy it instead"),
        h("p", {}, "Bookmark any page, edit the bookmark, and paste this as its address (URL):"),
        shown,
        h("div", { class: "buttons" }, button("Copy", copy, { glyph: "copy" })),
      ),
    );
  }

  /** A bookmark names a port; ours may have changed since it was made. */
  #stale() {
    const wanted = this.config.current?.hook?.port;
    const moved = wanted && String(wanted) !== location.port;
    const sentence = `trayagent answers on port ${location.port} now, not on ${wanted}, which another program has taken. Bookmarks made before may be stale: drag the button again.`;
    return moved
      ? [h("p", { class: "note warn small" }, sentence)]
      : [
          h(
            "p",
            { class: "muted small" },
            `The bookmark speaks to port ${location.port}. If trayagent ever moves to another port, drag it again.`,
          ),
        ];
  }
}
