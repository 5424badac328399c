// Links, texts and list files dropped or pasted anywhere on the page.

const TYPES = ["Files", "text/uri-list", "text/plain"];
const FIELDS = "input, textarea, [contenteditable]";

/** Takes what is dropped; the curtain shows while something is over the page. */
export function acceptDrops(adder, curtain) {
  const on = (name, act) =>
    addEventListener(name, (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      act(event);
    });
  on("dragenter", () => (curtain.hidden = false));
  on("dragover", () => {});
  on("drop", (event) => {
    curtain.hidden = true;
    take(adder, event.dataTransfer);
  });
  addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) curtain.hidden = true;
  });
}

/** Takes what is pasted outside of fields: files are sent, a text is shown first. */
export function acceptPastes(adder, dialog) {
  addEventListener("paste", (event) => {
    if (event.target.closest?.(FIELDS)) return;
    const files = [...(event.clipboardData?.files ?? [])];
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!files.length && !text.trim()) return;
    event.preventDefault();
    if (files.length) files.forEach((file) => adder.sendFile(file));
    else dialog.open(text);
  });
}

// Fields take their own drops; everything else that holds links or files is ours.
function carries({ target, dataTransfer }) {
  return !target.closest?.(FIELDS) && TYPES.some((type) => dataTransfer?.types.includes(type));
}

async function take(adder, data) {
  const files = [...data.files];
  const text = data.getData("text/uri-list") || data.getData("text/plain");
  if (!files.length) await adder.sendText(text);
  for (const file of files) await adder.sendFile(file);
}
