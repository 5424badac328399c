// Full, slow, or by the clock: the choices of the head's speed menu, and what the agent says of them.
import { size } from "./format.js";
import { asked } from "./say.js";
import { SAY } from "./words.js";

/** Tells `change` when the speed is another. */
export class SpeedModes extends EventTarget {
  #now = { mode: "clock", limit: 0, slow: 0, hours: "", days: "" };

  constructor({ api, board, messages, config }) {
    super();
    Object.assign(this, { api, messages, config });
    board.addEventListener("event", ({ detail }) => detail.name === "speed.changed" && this.#take(detail.data));
    this.#read();
  }

  /** What the head shows. */
  get words() {
    return this.#now.limit ? SAY.slowTo(size(this.#now.limit)) : SAY.full;
  }

  /** For `Menu`. */
  choices() {
    const { mode, slow, hours, days } = this.#now;
    const byClock = hours ? SAY.byClock(hours, days) : SAY.byClockUnset;
    // Without hours the clock never slows anything down: that is full speed by another name.
    const isClock = mode === "clock" && Boolean(hours);
    return [
      [SAY.full, () => this.#choose("full"), { chosen: mode === "full" || (mode === "clock" && !hours) }],
      [SAY.slow(size(slow)), () => this.#choose("slow"), { chosen: mode === "slow" }],
      [byClock, () => (hours ? this.#choose("clock") : (location.hash = "#settings")), { chosen: isClock }],
      [SAY.ownLimit, () => this.#askLimit()],
    ];
  }

  async #read() {
    this.#take(await this.api.get("speed").catch(() => null));
  }

  #take(speed) {
    if (!speed) return;
    this.#now = speed;
    this.dispatchEvent(new Event("change"));
  }

  async #choose(mode) {
    this.#take(await this.messages.trying(() => this.api.post("speed", { mode })));
  }

  async #askLimit() {
    const limit = await asked(SAY.speedMenu, SAY.ownLimitText, SAY.setLimit, { placeholder: "2MB" });
    if (limit) await this.messages.trying(() => this.config.save({ downloads: { speed_limit: limit } }));
  }
}
