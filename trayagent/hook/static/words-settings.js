// The settings in the words of people: every field, what it may be, and what is said about it.
import { QUALITIES } from "./views/add.js";

const choice = (key, words, choices, hint = "") => ({ key, words, kind: "choice", choices, hint });
const text = (key, words, hint = "") => ({ key, words, kind: "text", hint });
const number = (key, words, min, max, hint = "") => ({ key, words, kind: "number", min, max, hint });
const folder = (key, words, hint = "") => ({ key, words, kind: "folder", hint });
const afterRestart = (field) => ({ ...field, restart: true });

/** `[heading, fields]`; a field's key is `section.name` as in config.toml. */
export const GROUPS = [
  [
    "Downloads",
    [
      folder("downloads.folder", "Folder", "where files go"),
      number("downloads.workers", "Downloads at a time", 1, 32),
      number("downloads.per_host", "From one site at a time", 1, 32, "1 is polite"),
      choice("downloads.segments", "Connections for one large file", [
        ["auto", "Automatic"],
        ...[1, 2, 4, 8, 16].map((n) => [String(n), String(n)]),
      ]),
      text("downloads.speed_limit", "Speed limit", "for everything together, such as 2MB; 0 for none"),
      number("downloads.retries", "Tries again", 0, 100, "before a download counts as failed"),
      text("downloads.max_size", "Largest file", "such as 50GB"),
      text("downloads.keep_free", "Keep free on the disk", "such as 512MB"),
      choice("sites.quality", "Quality of video pages", QUALITIES.slice(1)),
    ],
  ],
  [
    "Slow by the clock",
    [
      text("schedule.limit", "Slow is at most", "such as 500kB a second; also what “Slow” in the head of the page means"),
      { key: "schedule.hours", words: "Hours", kind: "hours", hint: "full speed outside them; may go over midnight" },
      { key: "schedule.days", words: "Days", kind: "days", hint: "none ticked: every day" },
    ],
  ],
  [
    "Where kinds of files go",
    [
      folder("folders.video", "Videos", "a name inside the downloads folder, or a full path; empty: the downloads folder"),
      folder("folders.image", "Pictures"),
      folder("folders.audio", "Sound"),
      folder("folders.document", "Documents"),
      folder("folders.archive", "Archives"),
      { key: "folders.sites", words: "Sites", kind: "sites", hint: "a site counts for more than a kind" },
    ],
  ],
  [
    "Other folders",
    [
      afterRestart(folder("drop.folder", "Drop folder", "lists put here are downloaded")),
      afterRestart({ key: "drop.poll", words: "Look regularly", kind: "check", hint: "for network folders" }),
      folder("library.folder", "Image library"),
      afterRestart(folder("move.to", "Move finished files to", "another disk, a share, or a bucket (s3://NAME/folder): copied, compared, then moved; empty: they stay")),
      afterRestart(text("move.endpoint", "Server of the bucket", "like http://nas.lan:9000; empty: Amazon's. Its key stands in config.toml")),
      afterRestart(text("move.region", "Region of the bucket")),
      choice("library.date", "Sort images by", [
        ["created", "Day they were made"],
        ["downloaded", "Day they were downloaded"],
      ]),
    ],
  ],
  [
    "Network",
    [
      afterRestart(
        choice(
          "network.private_addresses",
          "Private addresses",
          [
            ["named", "Only when I name one"],
            ["refuse", "Never"],
            ["allow", "Always"],
          ],
          "devices in your own network",
        ),
      ),
      afterRestart(text("network.allow", "Always allowed", "host:port, separated by commas")),
      afterRestart(text("network.proxy", "Proxy", "empty for none")),
      afterRestart(number("hook.port", "Port of this page", 0, 65535, "0 is any free one")),
    ],
  ],
  [
    "Notifications",
    [
      choice("notifications.level", "Tell me about", [
        ["all", "Everything that finishes"],
        ["errors", "Problems only"],
        ["none", "Nothing"],
      ]),
    ],
  ],
];

export const SETTINGS = {
  title: "Settings",
  save: "Save",
  undo: "Undo changes",
  saved: "Saved.",
  savedForRestart: "Saved. Some of it counts when trayagent is started again.",
  nothing: "Nothing changed.",
  restart: "counts when trayagent is started again",
  wrong: (count) => (count === 1 ? "One setting is not right; it is marked." : `${count} settings are not right; they are marked.`),
  choose: "Choose…",
  chooseFor: (words) => `Choose the folder: ${words}`,
  from: "from",
  to: "to",
  days: { mon: "Mon", tue: "Tue", wed: "Wed", thu: "Thu", fri: "Fri", sat: "Sat", sun: "Sun" },
  site: "Site",
  siteFolder: "Folder",
  addSite: "Add a site",
  removeSite: (site) => `Remove ${site || "this line"}`,
  session: "This computer",
  autostart: "Start with the session",
  page: "This page",
  sound: "Play a short sound with each message",
  sources: "Image sources, their schedule and sign-in",
  clients: "Browsers and other programs that may send",
};

/** Programs that speak another one's language. */
export const CONNECT = {
  heading: "Other programs",
  what: "Extensions and apps made for aria2 or MeTube can send here, too. Each is let in by a secret of its own.",
  kinds: { aria2: "aria2", metube: "MeTube" },
  make: (program) => `Connect an ${program} client`.replace("an MeTube", "a MeTube"),
  title: (program) => `For a client of ${program}`,
  text: "Put this into its settings. Whoever has it may add and steer downloads here; revoke it in the list above.",
  revoke: "Revoke this secret",
  revoked: (name) => `Programs that use it (${name}) can no longer send. Connect again to make another secret.`,
  address: "Address",
  secret: "Secret",
  copy: "Copy",
  copied: "Copied.",
  done: "Done",
};

/** A sentence of the agent about a setting, without its technical beginning and end. */
export function plainProblem(key, sentence) {
  const is = sentence
    .replace(/ \([^()]*\)(?=[.,;]|, but)/g, "")
    .replace(`${key}: `, "")
    .replace(new RegExp(`^${key.replace(".", "\\.")} is (".*?"), but must be `), "$1 does not fit. It must be ")
    .replace(new RegExp(`^${key.replace(".", "\\.")} `), "It ")
    .replaceAll(/'([^']*)'/g, "“$1”");
  return is.charAt(0).toUpperCase() + is.slice(1);
}

/** Programs that fetch elsewhere, and addresses that are told. */
export const ELSEWHERE = {
  heading: "Other machines",
  inFile: "These are changed in config.toml, not here: their secrets never pass through this page. A change counts from the next start on.",
  engines: "Engines",
  noEngine: "None. An aria2 on another machine can fetch for you: write an [[engines]] section into config.toml.",
  states: { ready: "ready", away: "away" },
  underWay: (number) => `${number} under way`,
  test: (name) => `Ask ${name} now`,
  answers: (version) => `It answers: version ${version}.`,
  hooks: "Webhook",
  noHook: "None. An address can be told of what has finished or failed: write a [hooks] section into config.toml.",
  hook: (url, on, isSigned) => `${url} is told of what has ${on.join(" or ")}; ${isSigned ? "signed" : "not signed"}.`,
  testHook: "Send a test",
  hookTold: (when) => `It took a message ${when}.`,
  hookFailed: (when, reason) => `It did not take a message ${when}: ${reason} What ended is told again for an hour.`,
  hookRefused: (reason) => `It did not take the test: ${reason}`,
  hookUnknown: "Nothing was told since the start.",
};
