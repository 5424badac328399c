// A short sound with each notice, for those who want one: two soft tones made by the browser itself.
import { prefer, preferred } from "./preferences.js";

const SOUND = "sound"; // whether somebody wants to hear it
const QUIET = 2000; // milliseconds after a sound in which no other is heard
const TONES = [660, 880]; // hertz, one after the other
const TONE_SECONDS = 0.14;
const LOUDNESS = 0.08;

let context = null;
let last = -QUIET;

export const isSoundOn = () => preferred(SOUND, false) === true;

/** Turns it on or off; turned on, it is heard at once. */
export function setSound(isOn) {
  prefer(SOUND, isOn);
  if (isOn) play();
}

/** Plays it, if somebody wants to hear it. */
export function sound() {
  if (isSoundOn() && performance.now() - last > QUIET) play();
}

function play() {
  last = performance.now();
  context ??= new AudioContext();
  // A browser lets a page be heard only once somebody has clicked in it: until then this stays silent.
  context.resume().catch(() => null);
  TONES.forEach((frequency, place) => {
    const begin = context.currentTime + place * TONE_SECONDS;
    const tone = new OscillatorNode(context, { frequency });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.linearRampToValueAtTime(LOUDNESS, begin + 0.02);
    volume.gain.linearRampToValueAtTime(0, begin + TONE_SECONDS);
    tone.connect(volume).connect(context.destination);
    tone.start(begin);
    tone.stop(begin + TONE_SECONDS);
  });
}
