// The way to trayagent on this computer: found by proof, asked with the token of our pairing.
// Nothing secret leaves before the program on the port has proved that it knows our token.

export const FIRST_PORT = 17830;
const PORTS = 10;
const PATIENCE = 3000; // milliseconds for a program on this computer to answer

/** Why nothing was sent; `reason` is down, unpaired or refused, `message` one sentence for people. */
export class DoorError extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

const DOWN = "trayagent is not running on this computer.";
const UNPAIRED = "This browser is not paired with trayagent yet.";
const REVOKED = "trayagent no longer knows this browser. Pair it again.";

/** Whether a port is one of those trayagent takes by itself. */
export function isUsual(port) {
  return port >= FIRST_PORT && port < FIRST_PORT + PORTS;
}

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

  /** Exchanges the one-time code of a pairing page for a token of our own. */
  async pair(port, code, name) {
    const answer = await this.#post(port, "pair", { code, name });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new DoorError("refused", body.error?.message ?? "trayagent refused the code.");
    await this.store.set({ pairing: { port, client: body.client, token: body.token } });
  }

  /** The pairing with a port that has proved itself just now. */
  async open() {
    const { pairing } = await this.store.get("pairing");
    if (!pairing) throw new DoorError("unpaired", UNPAIRED);
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
    return proof === (await hmac(token, nonce));
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
export async function hmac(token, nonce) {
  const bytes = (text) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey("raw", bytes(token), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return hex(new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes(nonce))));
}

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
