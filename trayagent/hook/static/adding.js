// Adding downloads: the box at the top, and whatever is dropped on the page.
import { button, field, h, icon, select } from "./dom.js";
import { count } from "./format.js";
import { portions, readFile, readText } from "./lists.js";

export const QUALITIES = [
  ["", "As in the settings"],
  ["best", "Best"],
  ["1080", "1080p"],
  ["720", "720p"],
  ["480", "480p"],
  ["audio", "Sound only"],
];

/** Sends items, in several requests if there are many, and says what became of them. */
export class Adder {
  constructor(api, messages) {
    Object.assign(this, { api, messages });
  }

  async send(items) {
    if (!items.length) return this.messages.tell("There is no link in it.", "bad");
    const receipts = [];
    for (const portion of portions(items)) {
      const receipt = await this.messages.trying(() => this.#post(portion));
      if (!receipt) return undefined;
      receipts.push(receipt);
    }
    this.#report(receipts);
    return receipts;
  }

  // The rows themselves arrive as events: an answer may be older than what we know by then.
  #post(items) {
    const body = items.length === 1 ? items[0] : { items };
    return this.api.post("downloads", body, { "Idempotency-Key": crypto.randomUUID() });
  }

  #report(receipts) {
    const downloads = receipts.flatMap((receipt) => receipt.downloads);
    const rejected = receipts.flatMap((receipt) => receipt.rejected ?? []);
    const repeated = downloads.filter((download) => download.duplicate_of).length;
    const fresh = downloads.length - repeated;
    if (fresh) this.messages.tell(`${count(fresh, "download")} added.`, "good");
    if (repeated)
      this.messages.tell(
        repeated === 1 ? "You have this file already." : `${count(repeated, "file")} are here already.`,
      );
    if (rejected.length)
      this.messages.tell(
        rejected.length === 1
          ? rejected[0].message
          : `${count(rejected.length, "line")} refused. First: ${rejected[0].message}`,
        "bad",
      );
  }
}

/** The box that takes one link or many. */
export function addBox(adder) {
  const links = h("textarea", {
    id: "links",
    rows: 1,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    placeholder: "Paste links, one a line",
  });
  const name = h("input", { type: "text", placeholder: "from the link" });
  const folder = h("input", { type: "text", placeholder: "the downloads folder" });
  const quality = select(QUALITIES, "");
  const first = h("input", { type: "checkbox" });
  const grow = () => {
    links.rows = Math.min(8, Math.max(1, links.value.split("\n").length));
  };
  const submit = async (event) => {
    event.preventDefault();
    const extras = { folder: folder.value.trim(), quality: quality.value, next: first.checked };
    const items = readText(links.value).map((item) => ({ ...kept(extras), ...item }));
    if (items.length === 1 && name.value.trim()) items[0].filename = name.value.trim();
    if (!(await adder.send(items))) return;
    links.value = name.value = "";
    grow();
    links.focus();
  };
  links.addEventListener("input", grow);
  links.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && links.rows === 1) submit(event);
  });
  return h(
    "form",
    { class: "add card", onsubmit: submit, "aria-label": "Add downloads" },
    h(
      "div",
      { class: "add-line" },
      h("label", { for: "links", class: "hidden-text" }, "Links to download"),
      icon("link"),
      links,
      h(
        "button",
        { class: "primary", "aria-label": "Download" },
        icon("down"),
        h("span", { class: "wide-only" }, "Download"),
      ),
    ),
    h(
      "details",
      { class: "options small" },
      h("summary", {}, "Options"),
      h(
        "div",
        { class: "fields" },
        field("File name", name, "for a single link"),
        field("Folder", folder, "inside the downloads folder"),
        field("Video quality", quality, "for video pages"),
        h("label", { class: "check" }, first, "Start before the others"),
      ),
    ),
  );
}

const kept = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value));

/** Lets links, texts and list files be dropped anywhere on the page. */
export function acceptDrops(adder, curtain, dropFolder) {
  let depth = 0;
  const show = (more) => {
    depth = Math.max(0, depth + more);
    curtain.hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => {
    if (carries(event)) {
      event.preventDefault();
      show(1);
    }
  });
  addEventListener("dragleave", (event) => {
    if (carries(event)) show(-1);
  });
  addEventListener("dragover", (event) => {
    if (carries(event)) event.preventDefault();
  });
  addEventListener("drop", async (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    curtain.hidden = true;
    const files = [...event.dataTransfer.files];
    const text = event.dataTransfer.getData("text/uri-list") || event.dataTransfer.getData("text/plain");
    if (!files.length) await adder.send(readText(text));
    for (const file of files) await sendFile(adder, file, dropFolder());
  });
}

// Fields take their own drops; everything else that holds links or files is ours.
const carries = (event) =>
  !event.target.closest?.("input, textarea") &&
  ["Files", "text/uri-list", "text/plain"].some((type) => event.dataTransfer?.types.includes(type));

async function sendFile(adder, file, folder) {
  const toFolder = `Put ${file.name} into the drop folder instead: ${folder || "see the settings"}.`;
  if (file.size > 4_000_000) return adder.messages.tell(`This list is large. ${toFolder}`, "bad");
  let items = null;
  try {
    items = readFile(file.name, await file.text());
  } catch {
    /* Damaged JSON: said below like any list we cannot read. */
  }
  return items ? adder.send(items) : adder.messages.tell(`This kind of list cannot be read here. ${toFolder}`, "bad");
}

/** A button that opens the file chooser for lists, for those who do not drag. */
export function listButton(adder, dropFolder) {
  const chooser = h("input", {
    type: "file",
    accept: ".txt,.list,.urls,.url,.desktop,.webloc,.json",
    multiple: true,
    hidden: true,
    "aria-label": "List files",
  });
  chooser.addEventListener("change", async () => {
    for (const file of chooser.files) await sendFile(adder, file, dropFolder());
    chooser.value = "";
  });
  return [chooser, button("Open a list…", () => chooser.click(), { glyph: "list" })];
}
