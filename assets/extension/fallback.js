// When trayagent cannot take it: the browser's own download, if its user wants that.
import { t } from "./text.js";

/** Starts the browser's downloads, or opens the addresses in tabs where that is not allowed; answers a sentence. */
export async function byBrowser(urls) {
  const allowed = await chrome.permissions.request({ permissions: ["downloads"] }).catch(() => false);
  if (allowed) {
    for (const url of urls) await chrome.downloads.download({ url });
    return t("browser_downloads");
  }
  for (const url of urls) await chrome.tabs.create({ url, active: false });
  return t("opened_in_tab");
}
