// All that is known of one download, and all that can be done with it; it follows the download while it is open.
import { button, field, h, iconButton, select, setText } from "../dom.js";
import { duration, moment, nameOf, origin, share, size } from "../format.js";
import { Graph, PartsMap } from "../graph.js";
import { DETAILS, SAY, STATES, VERBS, VIA } from "../words.js";
import { glyphOfVerb, progressWords, verbsOf } from "./row.js";

const OPEN = new Set(["queued", "active", "paused", "failed"]);
const LOOK = 1000; // milliseconds between two looks at the parts

/** The panel below the list. Tells `close`. */
export class Detail extends EventTarget {
  #verbs = "";
  #timer = 0;
  #facts = "";
  #turn = 0; // of what was opened or closed: an answer that comes after a later wish is not shown

  constructor({ api, board, acts, messages }) {
    super();
    Object.assign(this, { api, board, acts, messages });
    this.download = null;
    this.name = h("h2", { class: "cut", id: "detail-name" });
    this.state = h("p", { class: "small numbers", role: "status" });
    this.why = h("p", { class: "note small", hidden: true });
    this.actions = h("div", { class: "buttons" });
    this.map = new PartsMap("");
    this.graph = new Graph(SAY.speedOf);
    this.figures = h("p", { class: "small muted numbers" });
    this.pictures = h("div", { class: "pictures" }, this.map.element, this.graph.element, this.figures);
    this.facts = h("dl", { class: "small" });
    this.wishes = h("div", { class: "wishes" });
    const close = iconButton("cross", SAY.close, () => this.dispatchEvent(new Event("close")));
    this.element = h(
      "section",
      { class: "detail", tabindex: "-1", "aria-labelledby": "detail-name", hidden: true },
      h("div", { class: "detail-head" }, h("div", { class: "grow" }, this.name, this.state), this.actions, close),
      h("div", { class: "detail-body", tabindex: "0", role: "group", "aria-label": VERBS.details }, h("div", { class: "stack" }, this.why, this.pictures, this.wishes), this.facts),
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.target.closest("details[open]")) this.dispatchEvent(new Event("close"));
    });
    board.addEventListener("moved", () => this.#follow());
    board.addEventListener("changed", ({ detail }) => {
      const now = detail.find(({ id }) => id === this.download?.id);
      if (now?.removed) this.dispatchEvent(new Event("close"));
      else if (now?.state) this.show(now);
    });
    board.addEventListener("second", () => this.#second());
    acts.addEventListener("leaving", () => this.download && this.#showVerbs());
  }

  /** Opens it for the download with this id. Returns the download; undefined where another wish came meanwhile. */
  async open(id) {
    const turn = (this.#turn += 1);
    const known = this.board.active.get(id);
    const download = await this.messages.trying(() => this.api.get(`downloads/${id}`));
    if (!download || turn !== this.#turn) return undefined;
    // Opened once more, it keeps its buttons and fields: made anew, they would lose a click, the focus and what was typed.
    const isOther = this.download?.id !== id;
    if (isOther) this.#verbs = this.#facts = "";
    this.show({ ...download, ...(known ? { speed: known.speed } : {}) });
    if (isOther) this.#showWishes();
    this.element.hidden = false;
    await this.#look();
    return download;
  }

  close() {
    this.#turn += 1;
    this.download = null;
    this.element.hidden = true;
    clearTimeout(this.#timer);
  }

  show(download) {
    const before = this.download;
    this.download = download;
    setText(this.name, nameOf(download));
    this.name.title = nameOf(download);
    this.element.dataset.state = download.state;
    setText(this.state, this.#standing());
    const { error, warning, state } = download;
    const why = error ? `${error.message} ${error.action}`.trim() : state === "completed" ? (warning ?? "") : "";
    setText(this.why, why);
    this.why.hidden = !why;
    this.why.className = `note small ${state === "failed" ? "bad" : "warn"}`;
    this.graph.element.toggleAttribute("hidden", state !== "active");
    this.#showVerbs();
    this.#showFacts();
    if (before && (before.id !== download.id || before.state !== download.state)) {
      this.#showWishes();
      this.#look();
    }
  }

  #follow() {
    const now = this.download && this.board.active.get(this.download.id);
    if (now && now !== this.download) this.show({ ...this.download, ...now });
  }

  #standing() {
    const { state, received, size: whole, speed, url } = this.download;
    const said = [STATES[state]];
    if (state === "active") {
      said.push(whole ? SAY.of(size(received), size(whole)) : size(received || null));
      if (share(this.download) !== null) said.push(SAY.percent(share(this.download)));
      if (speed) said.push(`${size(speed)}/s`);
      if (speed && whole > received) said.push(SAY.left(duration((whole - received) / speed)));
    } else if (state === "queued") said[0] = progressWords(this.download);
    else if (state === "completed") said.push(size(whole ?? received));
    else if (received) said.push(SAY.kept(size(received)));
    said.push(SAY.fromHost(origin(url)));
    if (this.download.engine) said.push(SAY.onEngine(this.download.engine));
    return said.filter(Boolean).join(" · ");
  }

  #showVerbs() {
    const leaving = this.acts.leaving(this.download.id);
    const verbs = leaving ? ["undo"] : this.#wanted();
    const key = `${this.download.id} ${verbs.join()}`;
    if (key === this.#verbs) return;
    this.#verbs = key;
    this.actions.replaceChildren(
      ...verbs.map((verb) =>
        verb === "undo"
          ? button(`${leaving.word}. ${SAY.undo}`, () => leaving.undo(), { glyph: "undo" })
          : button(VERBS[verb], () => this.acts.run(verb, [this.download]), { glyph: glyphOfVerb(verb) ?? "copy" }),
      ),
    );
  }

  #wanted() {
    const { state, path } = this.download;
    const verbs = [...verbsOf(this.download)];
    if (state === "queued") verbs.splice(1, 0, "first");
    if (state !== "completed" && path) verbs.push("folder");
    if (state === "completed" && path) verbs.push("move", "trash", "copy");
    verbs.push("copyLink");
    return verbs;
  }

  #showFacts() {
    const { download } = this;
    const { error, batch } = download;
    const lines = [
      ["url", download.url],
      ["path", download.path],
      ["size", download.size === null ? "" : `${size(download.size)} (${download.size.toLocaleString()} bytes)`],
      ["attempts", download.attempts ? String(download.attempts) : ""],
      ["asked", `${moment(download.created_at)}, ${VIA[download.via] ?? download.via}${download.source ? `, ${download.source}` : ""}`],
      ["engine", download.engine],
      ["remote", download.remote_path],
      ["finished", moment(download.finished_at)],
      ["why", error ? `${error.code}: ${error.message}` : ""],
      ["batch", batch ? h("a", { href: `#${batch}` }, this.board.batches.find(({ id }) => id === batch)?.title ?? batch) : ""],
      ["sha256", download.sha256],
      ["id", download.id],
    ].filter(([, value]) => value);
    const key = lines.map(([term, value]) => `${term} ${value.textContent ?? value}`).join("\n");
    if (key === this.#facts) return;
    this.#facts = key;
    this.facts.replaceChildren(
      ...lines.flatMap(([term, value]) => [h("dt", {}, DETAILS[term]), h("dd", { class: "mono" }, value)]),
    );
  }

  /** What may still be changed: its limit, its connections, where it goes. */
  #showWishes() {
    const { download } = this;
    this.wishes.replaceChildren();
    if (!OPEN.has(download.state) || download.source) return;
    const change = (words) => this.messages.trying(() => this.acts.change(this.download, words));
    const limit = select([["", SAY.noLimit], ...SAY.limits.map((each) => [each, `${each}/s`])], download.speed_limit ?? "", {
      onchange: () => change({ speed_limit: limit.value || null }),
    });
    const counts = [1, 2, 4, 8, 16].map((number) => [String(number), String(number)]);
    const connections = select([["", SAY.automatic], ...counts], String(download.segments ?? ""), {
      onchange: () => change({ segments: connections.value ? Number(connections.value) : null }),
    });
    const name = h("input", { type: "text", value: nameOf(download), spellcheck: "false" });
    const folder = h("input", { type: "text", value: "", spellcheck: "false", placeholder: SAY.placeHint });
    const move = (event) => {
      event.preventDefault();
      change({ filename: name.value.trim() || null, ...(folder.value.trim() ? { folder: folder.value.trim() } : {}) });
    };
    this.wishes.append(
      h("div", { class: "fields" }, field(SAY.limit, limit), field(SAY.connections, connections)),
      h(
        "form",
        { class: "fields move", onsubmit: move },
        field(SAY.rename, name),
        field(SAY.place, folder),
        h("button", {}, SAY.change),
      ),
    );
  }

  #second() {
    if (!this.download) return;
    const speeds = this.board.speedOf(this.download.id);
    this.graph.show(speeds);
  }

  /** Looks where its bytes are, once a second while it runs. */
  async #look() {
    clearTimeout(this.#timer);
    const { id, state, size: whole } = this.download ?? {};
    const hasParts = id && state !== "completed" && state !== "cancelled";
    this.pictures.hidden = !hasParts;
    if (!hasParts) return;
    const answer = await this.api.get(`downloads/${id}/parts`).catch(() => null);
    if (this.download?.id !== id) return;
    const parts = answer?.parts ?? [];
    const busy = parts.filter((part) => part.busy).length;
    this.map.element.toggleAttribute("hidden", !parts.length);
    this.map.show(parts, answer?.size ?? whole);
    this.map.label(SAY.partsOf(busy));
    setText(this.figures, busy ? SAY.connectionsOf(busy) : "");
    if (state === "active") this.#timer = setTimeout(() => this.#look(), LOOK);
  }
}

