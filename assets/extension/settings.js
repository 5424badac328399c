// What the options page keeps.

export const DEFAULTS = {
  quality: "",
  subtitles: "",
  /** Downloads of the browser that are taken over, when that is switched on. */
  takeover: {
    on: false,
    smallest: 1_000_000, // bytes
    kinds: ["video", "audio", "archive", "program", "document", "other"],
    except: "", // sites, with blanks or commas between
  },
};

export async function chosenOptions() {
  const { options = {} } = await chrome.storage.local.get("options");
  return { ...DEFAULTS, ...options, takeover: { ...DEFAULTS.takeover, ...options.takeover } };
}

/** Changes some of the options; answers all of them. */
export async function changeOptions(changes) {
  const options = { ...(await chosenOptions()), ...changes };
  await chrome.storage.local.set({ options });
  return options;
}
