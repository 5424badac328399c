// A JSON source by example: give an address, see its answer, click what its fields are.
import { button, field, h, select } from "../dom.js";
import { describe, guessPaging, guessRoles, leavesOf, listsOf, withoutList } from "../json-example.js";
import { EXAMPLE } from "../words-images.js";

const NEEDED = ["id", "url"];

/** `element` is a part of the wizard's form; `description()` is what was chosen, or throws a sentence. */
export class ByExample {
  #turn = 0;
  #answer = null;
  #lists = [];

  constructor(api) {
    this.api = api;
    Object.assign(this, { list: null, roles: {}, paging: {}, role: "id" });
    this.address = h("input", { type: "url", inputmode: "url", spellcheck: "false", autocomplete: "off", placeholder: "https://api.example.com/items" });
    this.token = h("input", { type: "password", autocomplete: "off", spellcheck: "false" });
    this.sent = select(EXAMPLE.sentWays, "bearer");
    this.note = h("p", { class: "note", role: "status", hidden: true });
    this.chooser = h("div", { class: "stack" });
    // Enter asks for the answer, it does not send the wizard's form.
    for (const control of [this.address, this.token])
      control.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        this.#ask();
      });
    this.element = h(
      "div",
      { class: "stack" },
      field(EXAMPLE.address, this.address, EXAMPLE.addressHint),
      h("div", { class: "fields" }, field(EXAMPLE.token, this.token, EXAMPLE.tokenHint), field(EXAMPLE.sent, this.sent)),
      h("div", { class: "buttons" }, button(EXAMPLE.show, () => this.#ask(), { glyph: "search" })),
      this.note,
      this.chooser,
    );
  }

  get secret() {
    return this.token.value.trim();
  }

  /** The keys of the source; throws an Error with a sentence while something is missing. */
  description() {
    if (!this.address.value.trim()) throw new Error(EXAMPLE.needsAddress);
    for (const role of NEEDED) if (!this.roles[role]) throw new Error(EXAMPLE.needsRole(EXAMPLE.roles[role]));
    return this.#describe();
  }

  #describe() {
    return describe({
      address: this.address.value.trim(),
      list: this.list ?? "items",
      // Placeholders until the answer is known: no source is without them.
      roles: Object.keys(this.roles).length ? this.roles : { id: "id", url: "url" },
      paging: this.paging,
      sent: this.sent.value,
      hasKey: Boolean(this.secret),
    });
  }

  async #ask() {
    const address = this.address.value.trim();
    if (!URL.canParse(address) || !/^https?:/.test(address)) return this.#say(EXAMPLE.needsAddress, "bad");
    const turn = ++this.#turn;
    Object.assign(this, { roles: {}, paging: {}, list: null });
    this.chooser.replaceChildren();
    this.#say(EXAMPLE.asking);
    const source = { name: "example", type: "json", ...this.#describe() };
    const found = await this.api.post("source-examples", { source, secret: this.secret }).catch((error) => ({ error }));
    if (turn !== this.#turn) return; // a newer question is on its way
    if (found.error) return this.#say([found.error.message, found.error.action].filter(Boolean).join(" "), "bad");
    this.#answer = found.answer;
    this.#lists = listsOf(found.answer);
    if (!this.#lists.length) return this.#say(EXAMPLE.noList, "bad");
    this.note.hidden = true;
    this.#takeList(this.#lists[0][0]);
  }

  #takeList(path) {
    this.list = path;
    this.roles = guessRoles(this.#first());
    this.paging = guessPaging(this.#answer, path, this.address.value.trim());
    this.role = NEEDED.find((role) => !this.roles[role]) ?? "id";
    this.#paint();
  }

  #first() {
    return this.#lists.find(([path]) => path === this.list)[1][0];
  }

  #paint() {
    const lists = select(this.#lists.map(([path]) => [path, path || EXAMPLE.whole]), this.list, { onchange: () => this.#takeList(lists.value) });
    this.chooser.replaceChildren(
      this.#lists.length > 1 ? field(EXAMPLE.list, lists) : "",
      h("p", { class: "small" }, EXAMPLE.choose),
      h("div", { class: "roles", role: "radiogroup", "aria-label": EXAMPLE.choose }, Object.entries(EXAMPLE.roles).map((each) => this.#roleButton(each))),
      this.#leaves(),
      this.#pagingFields(),
    );
    this.#tellChange();
  }

  #roleButton([role, words]) {
    const is = this.roles[role];
    return h(
      "button",
      {
        type: "button",
        role: "radio",
        "aria-checked": String(role === this.role),
        class: "role",
        onclick: () => {
          this.role = role;
          this.#paint();
          this.chooser.querySelector("[aria-checked=true]").focus();
        },
      },
      h("span", {}, words),
      h("span", { class: is ? "mono small" : "muted small" }, is ?? (NEEDED.includes(role) ? EXAMPLE.needed : EXAMPLE.notChosen)),
    );
  }

  /** The first item, each of its values a button that gives it the chosen role. */
  #leaves() {
    const rows = leavesOf(this.#first()).map(([path, value]) => {
      const role = Object.keys(this.roles).find((each) => this.roles[each] === path);
      return h(
        "button",
        {
          type: "button",
          class: "leaf",
          "aria-pressed": String(Boolean(role)),
          data: { path },
          onclick: () => {
            this.roles[this.role] = path;
            this.role = NEEDED.find((each) => !this.roles[each]) ?? this.role;
            this.#paint();
            [...this.chooser.querySelectorAll(".leaf")].find((each) => each.dataset.path === path)?.focus();
          },
        },
        h("span", { class: "mono muted" }, path),
        h("span", { class: "cut" }, String(value)),
        role ? h("span", { class: "tag small" }, EXAMPLE.roles[role]) : null,
      );
    });
    const optional = this.roles[this.role] && !NEEDED.includes(this.role);
    const forget = optional
      ? button(EXAMPLE.forget(EXAMPLE.roles[this.role]), () => {
          delete this.roles[this.role];
          this.#paint();
        }, { kind: "quiet" })
      : null;
    return h("div", { class: "leaves card small", role: "group", "aria-label": EXAMPLE.item }, rows, forget);
  }

  #pagingFields() {
    const { style, next, parameter } = this.paging;
    const set = (change) => {
      Object.assign(this.paging, change);
      this.#paint();
    };
    const styles = select(EXAMPLE.pagings, style, { onchange: () => set({ style: styles.value }) });
    const places = leavesOf(withoutList(this.#answer, this.list)).map(([path, value]) => [path, `${path} — ${String(value).slice(0, 40)}`]);
    const where = select([["", EXAMPLE.notChosen], ...places], next, { onchange: () => set({ next: where.value }) });
    const named = h("input", { type: "text", value: parameter || style, spellcheck: "false", onchange: () => set({ parameter: named.value.trim() }) });
    return h(
      "div",
      { class: "fields" },
      field(EXAMPLE.paging, styles),
      ["cursor", "next_url"].includes(style) ? field(EXAMPLE.next, where) : null,
      ["cursor", "page", "offset"].includes(style) ? field(EXAMPLE.parameter, named) : null,
    );
  }

  #say(sentence, kind = "") {
    this.note.hidden = false;
    this.note.className = `note ${kind}`;
    this.note.textContent = sentence;
  }

  /** What was tried with other choices counts no more. */
  #tellChange() {
    this.element.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
