// When trayagent cannot take it: the browser's own download, if its user wants that.

/** Starts the browser's downloads, or opens the addresses in tabs where that is not allowed; answers a sentence. */
export async function byBrowser(urls) {
  const allowed = await chrome.permissions.request({ permissions: ["downloads"] }).catch(() => false);
  if (allowed) {
    for (const url of urls) await chrome.downloads.download({ url });
    return "The browser downloads it.";
  }
  for (const url of urls) await chrome.tabs.create({ url, active: false });
  return "Opened in a new tab; save it from there.";
}
