// The agent's HTTP interface. The token lives in this object and in the tab's sessionStorage, which ends with the
// tab: not in the address, a cookie, or what other tabs can read.
import { events } from "./stream.js";

const BASE = "/api/v1/";
const KEPT = "session";

/** An answer that is not what was asked for; `message` is the agent's own sentence. */
export class ApiError extends Error {
  constructor(status, code, message, body = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

/** Whether the agent is there, and was too busy for an answer: then it is asked again. The event stream notices a lost one. */
export const isBusy = ({ status }) => status >= 500;

/**
 * Whether the session has ended. 429 says so, too: the agent slows down wrong tokens only, when there were many of them,
 * as a few open tabs of an ended session make.
 */
export const isSignedOut = ({ status }) => status === 401 || status === 429;

/** A query string of what is set: `query({state: "failed", q: ""})` → `?state=failed`. */
export function query(values) {
  const set = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return set.length ? `?${new URLSearchParams(set)}` : "";
}

export class Api {
  #token;

  constructor(token) {
    this.#token = token;
  }

  /** A session for a one-time code. */
  static async open(code) {
    const { token } = await new Api("").post("sessions", { code });
    sessionStorage.setItem(KEPT, token);
    return new Api(token);
  }

  /** The session of this tab, from before a reload or a restart of the agent; null where there is none. */
  static kept() {
    const token = sessionStorage.getItem(KEPT);
    return token ? new Api(token) : null;
  }

  /** The session is over. */
  static forget() {
    sessionStorage.removeItem(KEPT);
  }

  /** A page without a session asks a person to open it; the answer says nothing. */
  static ask() {
    return new Api("").post("sessions/ask");
  }

  /** Whether the agent answers at all, whoever asks. */
  static isThere() {
    return new Api("").get("health").then(
      () => true,
      () => false,
    );
  }

  get(path) {
    return this.#json("GET", path);
  }
  post(path, body = {}, headers = {}, how = {}) {
    return this.#json("POST", path, body, headers, how);
  }
  patch(path, body) {
    return this.#json("PATCH", path, body);
  }
  delete(path, how = {}) {
    return this.#json("DELETE", path, undefined, {}, how);
  }

  /** A picture as an object URL, or null; whoever asks revokes it. */
  async picture(path) {
    const answer = await this.#send("GET", path);
    return answer.ok ? URL.createObjectURL(await answer.blob()) : null;
  }

  /** The event stream as `{name, data}` values, the first without a name; throws when it breaks. */
  async *events() {
    const answer = await this.#send("GET", "events");
    if (!answer.ok) throw await problem(answer);
    yield* events(answer.body);
  }

  async #json(method, path, body, headers, how) {
    const answer = await this.#send(method, path, body, headers, how);
    if (!answer.ok) throw await problem(answer);
    return answer.status === 204 ? null : answer.json();
  }

  /** `how` goes to `fetch` as it is: `{keepalive: true}` for a page that is about to close. */
  #send(method, path, body, headers = {}, how = {}) {
    const all = { ...headers };
    if (this.#token) all.Authorization = `Bearer ${this.#token}`;
    if (body !== undefined) all["Content-Type"] = "application/json";
    return fetch(BASE + path, {
      method,
      headers: all,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      ...how,
    });
  }
}

async function problem(answer) {
  const body = await answer.json().catch(() => null);
  const said = body?.error ?? body?.rejected?.[0] ?? {};
  return new ApiError(
    answer.status,
    said.code ?? "",
    [said.message ?? `trayagent answered ${answer.status}.`, said.action].filter(Boolean).join(" "),
    body,
  );
}
