// Signing in to an image source with the browser: on the source's own site, the popup offers to hand
// over that source's session cookies, names them, and hands over no others.
import { cookiesFor, granted, wanted } from "./cookies.js";
import { ask, h } from "./dom.js";
import { isWeb } from "./items.js";
import { t } from "./text.js";

/** Shows the offer in `place` where the tab is on the site of a source that is not signed in. */
export async function offerSignIn(place, tab) {
  if (!isWeb(tab?.url)) return;
  const { ok, found = [] } = await ask({ do: "sign-ins" });
  const here = new URL(tab.url).hostname;
  const wish = ok && found.find(({ site, signed_in: signedIn }) => !signedIn && new URL(site).hostname === here);
  if (!wish) return;
  const button = h("button", { type: "button", class: "primary", id: "hand-over" }, t("sign_in_yes"));
  const words = h("p", {}, t("sign_in_offer", wish.source, wish.cookies.join(t("or")), here));
  button.addEventListener("click", async () => {
    // The browser asks its user while the click still counts, so nothing is awaited before.
    if (!(await granted(wanted([wish.site])))) return;
    button.disabled = true;
    words.textContent = await handOver(wish, tab, here);
    place.replaceChildren(words);
  });
  place.replaceChildren(words, h("div", { class: "row" }, button));
  place.hidden = false;
}

/** Hands the cookies over; answers a sentence. */
async function handOver({ source, site, cookies: names }, tab, here) {
  const all = await cookiesFor(site, tab);
  const session = all.filter(({ name }) => names.some((one) => name === one || isPart(name, one)));
  if (!session.length) return t("sign_in_none", here);
  const cookies = session.map(({ name, value, domain }) => ({ name, value, domain }));
  const said = await ask({ do: "sign-in", source, cookies });
  return said.ok ? t("sign_in_done", source, said.account ?? here) : said.message;
}

/** Whether a cookie is a part of a long one: `name.0`, `name.1`, … */
const isPart = (name, whole) => name.startsWith(`${whole}.`) && /^\d+$/.test(name.slice(whole.length + 1));
