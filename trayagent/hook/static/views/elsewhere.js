// Engines on other machines and the webhook, as the settings have them; they are changed in the file alone.
import { button, h, section, setText } from "../dom.js";
import { ago } from "../format.js";
import { ELSEWHERE } from "../words-settings.js";

export class Elsewhere {
  constructor({ api, config, messages }) {
    Object.assign(this, { api, config, messages });
    this.engines = h("ul", { class: "stack plain" });
    this.hook = h("p", { class: "small" });
    this.hookState = h("p", { class: "muted small", role: "status" });
    this.testHook = button(ELSEWHERE.testHook, () => this.#testHook());
    this.hookLine = h("div", { class: "engine-line" }, h("div", { class: "grow" }, this.hook, this.hookState), this.testHook);
    this.element = section(
      ELSEWHERE.heading,
      h(
        "div",
        { class: "card pad stack" },
        h("p", { class: "muted small" }, ELSEWHERE.inFile),
        h("h3", {}, ELSEWHERE.engines),
        this.engines,
        h("h3", {}, ELSEWHERE.hooks),
        this.hookLine,
      ),
    );
  }

  /** Shows them as they were at the last look. */
  async show() {
    const { url, on, secret } = this.config.at("hooks") ?? {};
    setText(this.hook, url ? ELSEWHERE.hook(url, on, Boolean(secret)) : ELSEWHERE.noHook);
    this.hook.className = url ? "small" : "muted small";
    this.testHook.hidden = !url;
    setText(this.hookState, "");
    if (url) this.#showHook(await this.messages.trying(() => this.api.get("webhook")));
    const answer = await this.messages.trying(() => this.api.get("engines"));
    const engines = answer?.engines ?? [];
    this.engines.replaceChildren(
      ...(engines.length ? engines.map((engine) => this.#engine(engine)) : [h("li", { class: "muted small" }, ELSEWHERE.noEngine)]),
    );
  }

  async #testHook() {
    this.#showHook(await this.messages.trying(() => this.api.post("webhook/test")), ELSEWHERE.hookRefused);
  }

  /** How it is; `failed` words why the last message was not taken. */
  #showHook(state, failed = (reason) => ELSEWHERE.hookFailed(ago(state.failed_at), reason)) {
    if (!state) return;
    const { told_at: told, failed_at: hasFailed, reason } = state;
    this.hookState.className = `small ${hasFailed ? "trouble" : "muted"}`;
    setText(this.hookState, hasFailed ? failed(reason) : told ? ELSEWHERE.hookTold(ago(told)) : ELSEWHERE.hookUnknown);
  }

  #engine({ name, type, url, state, under_way: underWay, message }) {
    const tag = h("span", { class: "tag" }, ELSEWHERE.states[state]);
    const facts = [type, url, underWay ? ELSEWHERE.underWay(underWay) : ""].filter(Boolean).join(" · ");
    // What is wrong with an engine stands at it, and is read out when it is asked for.
    const said = h("p", { class: `small ${message ? "trouble" : "muted"}`, role: "status" }, message ?? "");
    const ask = button(ELSEWHERE.test(name), async () => {
      const now = await this.messages.trying(() => this.api.post(`engines/${name}/test`));
      if (!now) return;
      setText(tag, ELSEWHERE.states[now.state]);
      said.className = `small ${now.message ? "trouble" : "muted"}`;
      setText(said, now.message ?? ELSEWHERE.answers(now.version));
    });
    return h(
      "li",
      { class: "engine-line" },
      h("div", { class: "grow" }, h("strong", {}, name), " ", tag, h("p", { class: "muted small cut" }, facts), said),
      ask,
    );
  }
}
