// Engines on other machines and the webhook, as the settings have them; they are changed in the file alone.
import { button, h, section, setText } from "../dom.js";
import { ELSEWHERE } from "../words-settings.js";

export class Elsewhere {
  constructor({ api, config, messages }) {
    Object.assign(this, { api, config, messages });
    this.engines = h("ul", { class: "stack plain" });
    this.hook = h("p", { class: "mono small" });
    this.element = section(
      ELSEWHERE.heading,
      h(
        "div",
        { class: "card pad stack" },
        h("p", { class: "muted small" }, ELSEWHERE.inFile),
        h("h3", {}, ELSEWHERE.engines),
        this.engines,
        h("h3", {}, ELSEWHERE.hooks),
        this.hook,
      ),
    );
  }

  /** Shows them as they were at the last look. */
  async show() {
    const { url, on, secret } = this.config.at("hooks") ?? {};
    setText(this.hook, url ? ELSEWHERE.hook(url, on, Boolean(secret)) : ELSEWHERE.noHook);
    this.hook.className = url ? "small" : "muted small";
    const answer = await this.messages.trying(() => this.api.get("engines"));
    const engines = answer?.engines ?? [];
    this.engines.replaceChildren(
      ...(engines.length ? engines.map((engine) => this.#engine(engine)) : [h("li", { class: "muted small" }, ELSEWHERE.noEngine)]),
    );
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
