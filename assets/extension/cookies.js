// The cookies of a site, only when they were asked for and the browser's user agreed.

const pattern = (url) => `${new URL(url).protocol}//${new URL(url).hostname}/*`;

/** What must be allowed to read the cookies that go to these addresses. */
export function wanted(urls) {
  return { permissions: ["cookies"], origins: [...new Set(urls.map(pattern))] };
}

/** Asks for what is wanted; without a fresh click only what was granted before counts. */
export function granted(permissions) {
  return chrome.permissions.request(permissions).catch(() => chrome.permissions.contains(permissions));
}

/** The cookies the browser itself would send to an address from this tab, as trayagent takes them. */
export async function cookiesFor(url, tab) {
  const found = await chrome.cookies.getAll({ url, ...(await storeOf(tab)) });
  return found.map(({ name, value, domain, path, secure }) => ({ name, value, domain, path, secure }));
}

/** A private window and a container of Firefox have cookies of their own. */
async function storeOf(tab) {
  if (tab?.cookieStoreId) return { storeId: tab.cookieStoreId };
  if (tab?.id === undefined) return {};
  const stores = await chrome.cookies.getAllCookieStores();
  const store = stores.find(({ tabIds }) => tabIds.includes(tab.id));
  return store ? { storeId: store.id } : {};
}
