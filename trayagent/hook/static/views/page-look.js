// What a page offers, before anything of it is downloaded: a picture, forms with their sizes, subtitles, entries.
import { h } from "../dom.js";
import { duration, size } from "../format.js";
import { LOOK } from "../words.js";

/** Fills itself with what the agent has seen; `items(url)` is what a person chose of it. */
export class PageLook {
  #picture = null;

  constructor() {
    this.element = h("fieldset", { class: "page-look", hidden: true });
    this.url = null;
  }

  /** `seen` is the agent's answer about the page `url`. */
  show(url, seen) {
    this.clear();
    this.url = url;
    const { title, seconds, forms = [], subtitles = [], entries = [], total = 0, picture } = seen;
    this.forms = forms.map(({ height, size: bytes }, place) =>
      this.#choice("radio", place === 0, height ? String(height) : "audio", form(height, bytes)),
    );
    this.subtitles = subtitles.map((language) => this.#choice("checkbox", false, language, language));
    this.entries = entries.map(({ url: address, title: name }) => this.#choice("checkbox", true, address, name || address));
    const facts = [seconds ? duration(seconds) : "", entries.length ? LOOK.entries(entries.length, total) : ""];
    this.element.replaceChildren(
      h("legend", {}, title || url),
      h(
        "div",
        { class: "page-seen" },
        picture ? this.#image(picture) : null,
        h("p", { class: "muted small" }, facts.filter(Boolean).join(" · ")),
      ),
      ...this.#group(LOOK.forms, this.forms),
      ...this.#group(LOOK.subtitles, this.subtitles),
      ...this.#group(LOOK.choose, this.entries),
    );
    this.element.hidden = false;
    this.element.scrollIntoView({ block: "nearest" });
  }

  clear() {
    this.url = null;
    this.element.hidden = true;
    this.element.replaceChildren();
    if (this.#picture) URL.revokeObjectURL(this.#picture);
    this.#picture = null;
  }

  /** The items that were chosen, with the wishes that go along; null where this is not about `url`. */
  items(url) {
    if (url !== this.url) return null;
    const chosen = (choices) => choices.filter(({ box }) => box.checked).map(({ box }) => box.value);
    const [quality] = chosen(this.forms);
    const wishes = {
      ...(quality ? { quality } : {}),
      ...(this.subtitles.length ? { subtitles: chosen(this.subtitles) } : {}),
    };
    const urls = this.entries.length ? chosen(this.entries) : [url];
    return urls.map((each) => ({ url: each, kind: "page", ...wishes }));
  }

  #choice(type, checked, value, words) {
    const box = h("input", { type, name: "form", value, checked });
    return { box, element: h("label", { class: "check" }, box, h("span", { class: "cut" }, words)) };
  }

  #group(words, choices) {
    if (!choices.length) return [];
    return [
      h("p", { class: "small" }, words),
      h("div", { class: "page-choices", tabindex: "0", role: "group", "aria-label": words }, choices.map(({ element }) => element)),
    ];
  }

  /** The picture came with the answer, as text: nothing is asked from elsewhere. */
  #image(base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    this.#picture = URL.createObjectURL(new Blob([bytes]));
    return h("img", { src: this.#picture, alt: "", height: 90 });
  }
}

function form(height, bytes) {
  const name = height ? LOOK.height(height) : LOOK.sound;
  return bytes ? `${name}, ${LOOK.about(size(bytes))}` : name;
}
