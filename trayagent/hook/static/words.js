// Every word that the list, its panel and its frame show, in one place.

/** One word for each state of a download. */
export const STATES = {
  queued: "Waiting",
  active: "Downloading",
  paused: "Paused",
  completed: "Saved",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** What becomes of a line of a list file. */
export const OUTCOMES = {
  completed: "Saved",
  duplicate: "Already here",
  failed: "Failed",
  rejected: "Refused",
  cancelled: "Cancelled",
};

/** What the list can be narrowed to: its name in the address → what it is called. */
export const FILTERS = {
  all: "All",
  active: "Active",
  waiting: "Waiting",
  needs: "Needs you",
  saved: "Saved",
};

export const TYPES = {
  video: "Video",
  image: "Pictures",
  audio: "Sound",
  document: "Documents",
  archive: "Archives",
  other: "Other files",
};

export const VIA = {
  drop: "drop folder",
  hook: "another program",
  cli: "command line",
  extension: "browser",
  sync: "image sync",
  page: "this page",
  aria2: "aria2 client",
  metube: "MeTube client",
};

export const COLUMNS = {
  name: "Name",
  size: "Size",
  progress: "Progress",
  left: "Left",
  added: "Added",
};

export const VERBS = {
  open: "Open",
  folder: "Open folder",
  pause: "Pause",
  resume: "Resume",
  cancel: "Cancel",
  retry: "Retry",
  again: "Download again",
  relink: "Give a fresh link",
  remove: "Remove from the list",
  trash: "Move the file to the trash",
  move: "Move to…",
  copy: "Copy where it is",
  copyLink: "Copy the link",
  first: "Start first",
  last: "Start last",
  details: "Details",
};

/** What is said while a thing can still be undone. */
export const LEAVING = {
  cancel: "Cancelled",
  remove: "Removed",
  trash: "To the trash",
};

export const DETAILS = {
  url: "Address",
  path: "File",
  size: "Size",
  attempts: "Tries",
  asked: "Asked",
  engine: "Fetched by",
  remote: "Saved there as",
  finished: "Finished",
  why: "Why",
  sha256: "SHA-256",
  batch: "Asked with",
  id: "Id",
};

export const SAY = {
  title: "trayagent",
  list: "Downloads",
  opening: "Opening…",
  locked: "This page opens from the tray icon, or with: trayagent dashboard",
  signedOut: "This page was signed out. Open it again from the tray icon, or with: trayagent dashboard",
  usedCode:
    "This link was used already, or is too old. Open the page again from the tray icon, or with: trayagent dashboard",
  noAnswer: "trayagent does not answer. Is it still running?",
  noAnswerTrying: "trayagent does not answer. Trying again…",
  asked: "Look at the notification, or at the tray icon: “Open dashboard”.",
  elsewhere: "The dashboard is open in another window now.",
  undo: "Undo",
  idle: "Idle",
  paused: "Paused",
  pausedUntil: (time) => `Paused until ${time}`,
  running: (active, workers) => `${active} of ${workers} at work`,
  waiting: (number) => `${number} waiting`,
  emptyTitle: "Nothing here yet",
  empty: "Paste links, drop a list here, or send a page from your browser.",
  noneOfKind: "Nothing of this kind.",
  noneFound: "Nothing found.",
  found: "Found",
  tickAll: "Tick all",
  tick: (name) => `Tick ${name}`,
  ticked: (number) => `${number} ticked`,
  untick: "Untick all",
  rows: "Rows",
  compact: "Compact rows",
  roomy: "Roomy rows",
  order: "As they will run",
  together: "Lists as one row each",
  sortBy: "Sort by",
  fileTypes: "File types",
  lists: "Asked together",
  moreLists: "Show older",
  fewerLists: "Show fewer",
  add: "Add links",
  checkFiles: "Check files",
  clear: "Clear finished",
  more: "More",
  close: "Close",
  percent: (share) => `${Math.floor(share * 100)} %`,
  waitingAt: (percent) => `Waiting, ${percent}`,
  pausedAt: (percent) => `Paused, ${percent}`,
  nextTry: (when) => `Next try ${when}`,
  kept: (size) => `${size} kept`,
  left: (time) => `${time} left`,
  of: (part, whole) => `${part} of ${whole}`,
  cancelled: (what) => `${what}: cancelled.`,
  removed: (what) => `${what}: removed from the list.`,
  trashed: (what) => `${what}: to the trash.`,
  downloads: (number) => `${number} downloads`,
  moving: (name, folder) => `${name}: on its way to ${folder}`,
  moveTitle: "Move to another folder",
  moveText: "The folder's path, or a name inside the downloads folder. A file of the same name there stays.",
  moveYes: "Move",
  copied: (text) => `Copied: ${text}`,
  copiedLinks: (number) => `${number} links copied.`,
  someRefused: (refused, number, why) => `${refused} of ${number} were refused. ${why}`,
  freshTitle: "A fresh link",
  freshText: "Open the page again, copy the link of the same file and paste it here. What has arrived is kept.",
  freshYes: "Use this link",
  partsOf: (number) => `Parts of the file, ${number} at work`,
  connectionsOf: (number) => `${number} connection${number === 1 ? "" : "s"}`,
  speedOf: "Speed, the last minute",
  limit: "Limit for this one",
  noLimit: "none",
  limits: ["250kB", "500kB", "1MB", "2MB", "5MB", "10MB"],
  connections: "Connections",
  automatic: "automatic",
  place: "Folder",
  placeHint: "inside the downloads folder",
  rename: "File name",
  change: "Change",
  changed: "Changed.",
  onEngine: (name) => `on ${name}`,
  fromHost: (host) => `from ${host}`,
  resumable: "can go on later",
  speedMenu: "Speed",
  full: "Full speed",
  slowTo: (limit) => `At most ${limit}/s`,
  slow: (limit) => `Slow: ${limit}/s`,
  byClock: (hours, days) => `By the clock: slow ${hours}${days ? `, ${days}` : ""}`,
  byClockUnset: "By the clock… (settings)",
  ownLimit: "Another limit…",
  ownLimitText: "For all downloads together, such as 2MB. 0 for none.",
  setLimit: "Set",
  pauseMenu: "Pause",
  resume: "Resume",
};

/** How long the queue pauses: words → minutes, null for until it is resumed. The tray's menu offers the same. */
export const PAUSES = [
  ["For 30 minutes", () => 30],
  ["For 1 hour", () => 60],
  [
    "Until tomorrow",
    () => {
      const now = new Date();
      // Until eight, as the tray has it: who pauses for the night does not want it to end at midnight.
      return Math.round((new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, 8) - now) / 60000);
    },
  ],
  ["Until I resume", () => null],
];

/** What happens when all downloads are done. */
export const DONE = {
  menu: "When all is done",
  plans: { nothing: "Do nothing", notify: "Tell me", sleep: "Sleep", shutdown: "Shut down" },
  then: (plan) => `Then: ${plan.toLowerCase()}`,
  title: "All downloads are done",
  left: (plan, seconds) => `${plan} in ${seconds} s.`,
  stop: "Stop it",
};

/** Words about lists and other things asked for together. */
export const BATCH = {
  done: (done, total) => `${done.toLocaleString()} of ${total.toLocaleString()}`,
  running: "running",
  finished: (when) => `finished ${when}`,
  undoneAt: (when) => `undone ${when}`,
  retryFailed: "Retry failed",
  stop: "Stop",
  undo: "Undo…",
  report: "Report",
  verbs: { report: "Report", retry: "Retry failed", stop: "Stop", undo: "Undo" },
  open: (title) => `Show the rows of ${title}`,
  close: (title) => `Hide the rows of ${title}`,
  failed: (number) => `${number.toLocaleString()} failed`,
  refused: (number) => `${number.toLocaleString()} refused`,
  undoneShort: "Undone",
  stopped: (title) => `${title}: stopped.`,
  undone: (title) => `${title}: undone.`,
  undoTitle: (title) => `Undo ${title}?`,
  undoText: (files, waiting) =>
    [
      waiting === 1 ? "One that has not arrived is cancelled." : "",
      waiting > 1 ? `${waiting.toLocaleString()} that have not arrived are cancelled.` : "",
      files === 1 ? "One file that arrived goes to the trash." : "",
      files > 1 ? `${files.toLocaleString()} files that arrived go to the trash.` : "",
    ]
      .filter(Boolean)
      .join(" "),
  undoYes: (files) => (files ? `Undo: ${files.toLocaleString()} to the trash` : "Undo: cancel them"),
  undoNo: "Leave it as it is",
  nothing: "Nothing of it is left to undo.",
};

/** Words about adding. */
export const ADD = {
  title: "Add downloads",
  links: "Links to download",
  hint: "One link a line. A list file may be dropped anywhere on the page.",
  placeholder: "https://…",
  send: "Download",
  openList: "Open a list…",
  listFiles: "List files",
  options: "Options",
  name: "File name",
  nameHint: "for a single link",
  nameFrom: "from the link",
  folder: "Folder",
  folderHint: "inside the downloads folder",
  folderFrom: "the downloads folder",
  quality: "Video quality",
  qualityHint: "for video pages",
  subtitles: "Subtitles",
  subtitlesHint: "for video pages; languages",
  subtitlesFrom: "none; or: en, de",
  limit: "Limit each to",
  limitHint: "such as 500kB a second",
  first: "Start before the others",
  pausedFirst: "Add paused",
  again: "Download again, also what is here",
  refused: (number) => (number === 1 ? "This line was refused:" : `These ${number} lines were refused:`),
  noLink: "There is no link in it.",
  added: (number) => (number === 1 ? "1 download added." : `${number.toLocaleString()} downloads added.`),
  here: (number) => (number === 1 ? "You have this file already." : `${number.toLocaleString()} files are here already.`),
  show: "Show",
  againNow: "Download again",
  dropFolder: (name, folder) =>
    `Put ${name} into the drop folder instead: ${folder || "see the settings"}.`,
  large: "This list is large.",
  unreadable: "This kind of list cannot be read here.",
  drop: "Drop links or lists here",
};

/** Words for those who meet trayagent for the first time. */
export const WELCOME = {
  title: "Welcome",
  what: "trayagent fetches what you give it, four files at a time, and keeps going after a break, a restart or a lost connection. It stays beside the clock, as an icon in the tray.",
  try: "Try it",
  tryText: "A small text file from this computer. It takes a moment, and shows where your files will be.",
  tryStart: "Start a test download",
  trying: "On its way…",
  tried: (path) => `Saved: ${path}`,
  openFolder: "Open folder",
  extension: "Send from this browser",
  extensionText: "With the extension one click sends videos, pictures and links.",
  extensionDone: "This browser, or another one, is paired.",
  extensionStart: "Set up the extension",
  bookmark: "Or with a bookmark",
  bookmarkText: "Works in every browser without an extension.",
  bookmarkStart: "Get the bookmark",
  drop: "Drop lists into a folder",
  dropText: (folder) => `A text file of links that is put here is downloaded, line by line: ${folder}`,
  dropStart: "Open the drop folder",
  session: "Start with the session",
  sessionText: "Then nothing has to be started by hand, and unfinished downloads go on by themselves.",
  sessionOn: "Start trayagent when I sign in",
  done: "Go to the downloads",
};

/** Words about a page that is looked at before it is downloaded. */
export const LOOK = {
  ask: "Look at the page first",
  asking: "Looking at the page…",
  forms: "Picture and sound",
  height: (lines) => `${lines}p`,
  sound: "Sound only",
  about: (size) => `about ${size}`,
  subtitles: "Subtitles",
  choose: "Videos of this page",
  entries: (shown, total) => (total > shown ? `the first ${shown} of ${total} videos` : `${shown} videos`),
};
