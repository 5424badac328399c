// The way to trayagent on this computer: found by proof, asked with the token of our pairing.
// Nothing secret leaves before the program on the port has proved that it knows our token and listens
// there: a proof that was fetched from trayagent on another port is worth nothing.

export const FIRST_PORT = 17830;
const PORTS = 10;
const PATIENCE = 3000; // milliseconds for a program on this computer to answer

/** Why nothing was sent; `reason` is down, unpaired, unanswered or refused, `message` one sentence for people. */
export class DoorError extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

const DOWN = "trayagent is not running on this computer.";
const UNPAIRED = "This browser is not paired with trayagent yet.";
const UNANSWERED = "The extension asks whether to send to trayagent. Answer in its options.";
const STRANGER =
  "This browser is paired already, and the program on this port does not know that pairing. " +
  "If you revoked it, choose “Forget the pairing” in the extension’s options, then pair again.";
const REVOKED = "trayagent no longer knows this browser. Pair it again.";

/** The remembered port first, then the usual ten. */
export function candidates(remembered) {
  const usual = Array.from({ length: PORTS }, (_, n) => FIRST_PORT + n);
  return remembered ? [remembered, ...usual.filter((port) => port !== remembered)] : usual;
}

export class Door {
  constructor(store, ask = fetch.bind(globalThis)) {
    this.store = store;
    this.ask = ask;
  }

  /**
   * Exchanges the one-time code of a pairing page for a token of our own, and answers the pairing that
   * asks. Nothing is sent with it before a person has said yes to its port (`answer`). Whatever pairing
   * there is gives way only to a program that proves that it knows its token.
   */
  async pair(port, code, name) {
    const { pairing } = await this.store.get("pairing");
    if (pairing && !(await this.#prove(port, pairing).catch(() => null)))
      throw new DoorError("refused", pairing.waiting ? UNANSWERED : STRANGER);
    const answer = await this.#post(port, "pair", { code, name });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new DoorError("refused", body.error?.message ?? "trayagent refused the code.");
    const asked = { port, client: String(body.client), token: String(body.token), waiting: true };
    await this.store.set(pairing && !pairing.waiting ? { asked } : { pairing: asked, asked });
    return asked;
  }

  /** A person's answer to the pairing that asks, as it was shown: it becomes the pairing, or is forgotten. */
  async answer(yes, { port, client }) {
    const { pairing, asked } = await this.store.get(["pairing", "asked"]);
    if (asked?.port !== port || asked?.client !== client)
      throw new DoorError("refused", "This question is too old. Pair again.");
    if (yes) await this.store.set({ pairing: { port, client, token: asked.token } });
    else if (pairing?.waiting) await this.store.remove("pairing");
    await this.store.remove("asked");
  }

  /** The pairing with a port that has proved itself just now. */
  async open() {
    const { pairing } = await this.store.get("pairing");
    if (!pairing) throw new DoorError("unpaired", UNPAIRED);
    if (pairing.waiting) throw new DoorError("unanswered", UNANSWERED);
    let strange = 0;
    for (const port of candidates(pairing.port)) {
      const proved = await this.#prove(port, pairing).catch(() => null);
      if (proved) return this.#remember(pairing, port);
      if (proved === false) strange += 1;
    }
    throw strange ? new DoorError("unpaired", REVOKED) : new DoorError("down", DOWN);
  }

  /** Sends items; answers the receipt. The key makes a repeated request harmless. */
  async send(items, key = crypto.randomUUID()) {
    const { port, token } = await this.open();
    const body = items.length === 1 ? items[0] : { items };
    const answer = await this.#post(port, "downloads", body, {
      Authorization: `Bearer ${token}`,
      "Idempotency-Key": key,
    }).catch(() => {
      throw new DoorError("down", DOWN);
    });
    const receipt = await answer.json().catch(() => ({}));
    if (answer.status === 401) throw new DoorError("unpaired", REVOKED);
    if (!answer.ok)
      throw new DoorError(
        "refused",
        receipt.rejected?.[0]?.message ?? receipt.error?.message ?? `trayagent answered ${answer.status}.`,
      );
    return receipt;
  }

  /** True: it is ours. False: it speaks like ours but does not know us. Null or an error: it is something else. */
  async #prove(port, { client, token }) {
    const nonce = hex(crypto.getRandomValues(new Uint8Array(16)));
    const answer = await this.#post(port, "hello", { client, nonce });
    const { proof, error } = await answer.json();
    if (!answer.ok) return error?.code ? false : null;
    return proof === (await hmac(token, `127.0.0.1:${port}\n${nonce}`));
  }

  async #remember(pairing, port) {
    if (port !== pairing.port) await this.store.set({ pairing: { ...pairing, port } });
    return { ...pairing, port };
  }

  /** A redirect is an error: what we send is for this computer only. */
  #post(port, path, body, headers = {}) {
    return this.ask(`http://127.0.0.1:${port}/api/v1/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE),
    });
  }
}

/** HMAC-SHA256 as lower-case hex (RFC 2104). */
export async function hmac(token, message) {
  const bytes = (text) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey("raw", bytes(token), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return hex(new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes(message))));
}

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
