// The way to trayagent on this computer: found by proof, asked with the token of our pairing.
// Nothing secret leaves before the program on the port has proved that it knows our token and listens
// there: a proof that was fetched from trayagent on another port is worth nothing.
import { askHost } from "./native.js";
import { t } from "./text.js";

export const FIRST_PORT = 17830;
const PORT_COUNT = 10;
const PATIENCE_MS = 3000; // for a program on this computer to answer
const MOST_BODY_BYTES = 200_000; // of one request; trayagent takes 256 KiB

/** Why nothing was done; `reason` is down, unpaired, unanswered or refused, `message` one sentence for people. */
export class AgentError extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

/** The remembered port first, then the usual ten. */
export function candidates(remembered) {
  const usual = Array.from({ length: PORT_COUNT }, (_, n) => FIRST_PORT + n);
  return remembered ? [remembered, ...usual.filter((port) => port !== remembered)] : usual;
}

export class Door {
  constructor(store, { fetch = globalThis.fetch.bind(globalThis), host = askHost } = {}) {
    this.store = store;
    this.fetch = fetch;
    this.host = host;
  }

  /**
   * Exchanges the one-time code of a pairing page for a token of our own, and answers the pairing that
   * asks. Nothing is sent with it before a person has said yes to its port (`answer`). Whatever pairing
   * there is gives way only to a program that proves that it knows its token.
   */
  async pair(port, code, name) {
    const { pairing } = await this.store.get("pairing");
    if (pairing && !(await this.#isOurs(port, pairing)))
      throw new AgentError("refused", t(pairing.waiting ? "unanswered" : "stranger"));
    const answer = await this.#ask(port, "POST", "pair", { code, name });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new AgentError("refused", body.error?.message ?? t("code_refused"));
    const asked = { port, client: String(body.client), token: String(body.token), waiting: true };
    await this.store.set(pairing && !pairing.waiting ? { asked } : { pairing: asked, asked });
    return asked;
  }

  /** A person's answer to the pairing that asks, as it was shown: it becomes the pairing, or is forgotten. */
  async answer(yes, { port, client }) {
    const { pairing, asked } = await this.store.get(["pairing", "asked"]);
    if (asked?.port !== port || asked?.client !== client) throw new AgentError("refused", t("question_too_old"));
    if (yes) await this.store.set({ pairing: { port, client, token: asked.token } });
    else if (pairing?.waiting) await this.store.remove("pairing");
    await this.store.remove("asked");
  }

  /**
   * Pairs through the program that the browser starts, after a person has said yes to this port. It
   * knows trayagent by a file that only this user can read, so an old pairing may give way unproved.
   */
  async pairThroughHost(port, name) {
    const answer = await this.host({ do: "pair", name, port, origin: globalThis.location.origin });
    if (!answer?.ok) throw new AgentError("refused", answer?.message ?? t("down"));
    await this.store.set({ pairing: { port: answer.port, client: answer.client, token: answer.token } });
    await this.store.remove("asked");
  }

  /** The pairing with a port that has proved itself just now. */
  async open() {
    const { pairing } = await this.store.get("pairing");
    if (!pairing) throw new AgentError("unpaired", t("unpaired"));
    if (pairing.waiting) throw new AgentError("unanswered", t("unanswered"));
    // Where it listened last; then where the host says; and only without a host the usual ten.
    let proved = await this.#isOurs(pairing.port, pairing);
    if (proved) return pairing;
    const found = await this.host({ do: "find" });
    const others = found?.ok ? [found.port] : candidates(pairing.port);
    let strange = proved === false;
    for (const port of others.filter((each) => each && each !== pairing.port)) {
      proved = await this.#isOurs(port, pairing);
      if (proved) return this.#remember(pairing, port);
      if (proved === false) strange = true;
    }
    // The host knows for certain whether it runs; a stranger on its port then means nothing.
    if (found?.ok ? found.port : strange) throw new AgentError("unpaired", t("revoked"));
    throw new AgentError("down", t("down"));
  }

  #isOurs(port, pairing) {
    return this.#prove(port, pairing).catch(() => null);
  }

  /** A port of the usual ten where something that looks like trayagent answers; null for none. It learns nothing. */
  async somewhere() {
    const asked = candidates().map(async (port) => {
      const answer = await this.#ask(port, "GET", "health");
      const said = await answer.json();
      if (said.app !== "trayagent" && said.error?.code !== "wrong_origin") throw new Error("something else");
      return port;
    });
    return Promise.any(asked).catch(() => null);
  }

  /** Sends items; answers the receipt. The key makes a repeated request harmless. */
  async send(items, key = crypto.randomUUID()) {
    const pairing = await this.open();
    const together = { downloads: [], rejected: [] };
    for (const [number, part] of parts(items).entries()) {
      const body = items.length === 1 ? part[0] : { items: part };
      const once = { "Idempotency-Key": `${key}-${number}` };
      const receipt = await this.#call(pairing, "POST", "downloads", body, once);
      together.downloads.push(...(receipt.downloads ?? []));
      together.rejected.push(...(receipt.rejected ?? []));
    }
    return together;
  }

  /** What this browser sent in the last day, newest first. */
  async downloads(limit) {
    const { downloads } = await this.#call(await this.open(), "GET", `downloads?limit=${limit}`);
    return downloads;
  }

  /** One download of ours. */
  async download(id) {
    return this.#call(await this.open(), "GET", `downloads/${encodeURIComponent(id)}`);
  }

  /** Does `pause`, `resume`, `cancel` or `retry` to a download of ours. */
  async steer(id, verb) {
    return this.#call(await this.open(), "POST", `downloads/${encodeURIComponent(id)}/${verb}`, {});
  }

  /** Forgets a download of ours; a file stays. */
  async forget(id) {
    return this.#call(await this.open(), "DELETE", `downloads/${encodeURIComponent(id)}`);
  }

  /** The image sources that a browser's cookies sign in: `[{source, site, cookies, signed_in}]`. */
  async signIns() {
    const { sign_ins: found } = await this.#call(await this.open(), "GET", "sign-ins");
    return found;
  }

  /** Signs a source in with these cookies; answers whose they are. */
  async signIn(source, cookies) {
    return this.#call(await this.open(), "POST", `sign-ins/${encodeURIComponent(source)}`, { cookies });
  }

  async #call({ port, token }, method, path, body, headers = {}) {
    const answer = await this.#ask(port, method, path, body, { Authorization: `Bearer ${token}`, ...headers }).catch(
      () => {
        throw new AgentError("down", t("down"));
      },
    );
    const said = await answer.json().catch(() => ({}));
    if (isRevoked(answer)) throw new AgentError("unpaired", t("revoked"));
    if (!answer.ok)
      throw new AgentError(
        "refused",
        said.rejected?.[0]?.message ?? said.error?.message ?? t("answered_status", answer.status),
      );
    return said;
  }

  /** True: it is ours. False: it speaks like ours but does not know us. Null or an error: it is something else. */
  async #prove(port, { client, token }) {
    const nonce = hex(crypto.getRandomValues(new Uint8Array(16)));
    const answer = await this.#ask(port, "POST", "hello", { client, nonce });
    const { proof, error } = await answer.json();
    if (!answer.ok) return error?.code ? false : null;
    return proof === (await hmac(token, `127.0.0.1:${port}\n${nonce}`));
  }

  async #remember(pairing, port) {
    await this.store.set({ pairing: { ...pairing, port } });
    return { ...pairing, port };
  }

  /** A redirect is an error: what we send is for this computer only. */
  #ask(port, method, path, body, headers = {}) {
    return this.fetch(`http://127.0.0.1:${port}/api/v1/${path}`, {
      method,
      headers: body ? { "Content-Type": "application/json", ...headers } : headers,
      body: body && JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  }
}

/**
 * Whether our token is worth nothing any more. trayagent answers 401 to such a token, and 429 when it has seen many of them
 * in a minute, from whomever: a good token is never slowed, so waiting would not help.
 */
const isRevoked = ({ status }) => status === 401 || status === 429;

/** The items in order, in as many requests as their size needs. */
export function parts(items) {
  const found = [[]];
  let bytes = 0;
  for (const item of items) {
    const more = new TextEncoder().encode(JSON.stringify(item)).length + 1;
    if (bytes + more > MOST_BODY_BYTES && found.at(-1).length) {
      found.push([]);
      bytes = 0;
    }
    found.at(-1).push(item);
    bytes += more;
  }
  return found;
}

/** HMAC-SHA256 as lower-case hex (RFC 2104). */
export async function hmac(token, message) {
  const bytes = (text) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey("raw", bytes(token), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return hex(new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes(message))));
}

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
