// Whether a hand aims at something: what would slide away under it waits until it rests, or is elsewhere.

const AIMING = 1000; // milliseconds from the pointer's last move, or press, until it counts as resting
const LONGEST = 3000; // milliseconds that anything waits at most: some pointers never rest

export class Aim {
  #moved = -Infinity;

  /** An element whose parts people aim at. */
  over(element) {
    const aims = () => {
      this.#moved = performance.now();
    };
    for (const name of ["pointermove", "pointerdown"]) element.addEventListener(name, aims, { passive: true });
    element.addEventListener("pointerleave", () => {
      this.#moved = -Infinity;
    });
  }

  /** For how many more milliseconds a change waits that came at `since`, in `performance.now()`; 0: it may be shown. */
  wait(since) {
    return Math.max(0, Math.min(this.#moved + AIMING, since + LONGEST) - performance.now());
  }
}
