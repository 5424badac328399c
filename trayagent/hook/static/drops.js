// Links, texts and list files dropped anywhere on the page.

const TYPES = ["Files", "text/uri-list", "text/plain"];

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

// Fields take their own drops; everything else that holds links or files is ours.
function carries({ target, dataTransfer }) {
  return !target.closest?.("input, textarea") && TYPES.some((type) => dataTransfer?.types.includes(type));
}

async function take(adder, data) {
  const files = [...data.files];
  const text = data.getData("text/uri-list") || data.getData("text/plain");
  if (!files.length) await adder.sendText(text);
  for (const file of files) await adder.sendFile(file);
}
