// What a stranger's address looks like, and what is odd about it. Pure: nothing here touches the page.

const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const LONGEST = 65536;

/** The text without control and direction characters, so that it reads as what it is. */
export function plainText(text, limit = 300) {
  return text.replace(INVISIBLE, "").trim().slice(0, limit);
}

/** `{url, title}` from the fragment the bookmarklet wrote. */
export function fromFragment(hash) {
  const data = new URLSearchParams(hash.replace(/^#/, ""));
  return { url: data.get("url") ?? "", title: plainText(data.get("title") ?? "") };
}

/** `{address, refusal}`: the parsed http(s) address, or one sentence why it cannot be sent. */
export function judge(text) {
  if (!text)
    return { address: null, refusal: "There is no address here. Click the bookmark on the page you want to save." };
  if (text.length > LONGEST) return { address: null, refusal: "This address is too long to be a real one." };
  const address = URL.canParse(text) ? new URL(text) : null;
  if (!address) return { address: null, refusal: "This is not a web address we can download." };
  if (!["http:", "https:"].includes(address.protocol))
    return {
      address: null,
      refusal: `Only web pages can be sent, not “${plainText(address.protocol, 20)}” addresses.`,
    };
  return { address, refusal: null };
}

const PRIVATE_NAME = /^(localhost|.*\.(localhost|local|lan|internal)|.*\.home\.arpa)\.?$/i;

/** Whether the host is on this machine or in a private network, going by its name alone. */
export function isPrivate(host) {
  return PRIVATE_NAME.test(host) || !/[.:]/.test(host) || isAddress(host);
}

function isAddress(host) {
  return host.startsWith("[") || /^\d+(\.\d+){3}$/.test(host);
}

/** One sentence for everything about the address that deserves a second look. */
export function oddities(address) {
  const said = [];
  if (address.username || address.password)
    said.push(`The part before “@” is a name, not the site. The site is ${address.hostname}.`);
  if (isPrivate(address.hostname))
    said.push(
      "This address is a number, or lies on this computer or in your own network. Send it only if you meant to.",
    );
  if (/(^|\.)xn--/.test(address.hostname))
    said.push("The site’s name has unusual letters that can look like another site’s.");
  if (address.port) said.push(`The site uses an unusual port: ${address.port}.`);
  if (address.protocol === "http:" && !isPrivate(address.hostname))
    said.push("The connection to this site is not encrypted.");
  return said;
}
