// Every word of the album, its viewer and the set-up of sources, in one place.

/** What of a library is shown: `[value, words]`; `new` is not a state, but what arrived since the last sync. */
export const SHOWN = [
  ["", "All"],
  ["new", "New since the last sync"],
  ["present", "Here"],
  ["missing", "Not here yet"],
  ["failed", "Failed"],
  ["gone", "Gone from the site"],
  ["ignored", "Left out"],
];

export const ITEM_STATES = {
  missing: "not here yet",
  present: "",
  gone: "gone from the site",
  failed: "failed",
  ignored: "left out",
};

export const EVERY = [
  ["", "Only when I ask"],
  ["1h", "Every hour"],
  ["6h", "Every 6 hours"],
  ["24h", "Once a day"],
];

const number = (count) => count.toLocaleString();
const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;

export const ALBUM = {
  title: "Images",
  sources: "Sources",
  in: (name) => `In ${name}`,
  library: "Album",
  show: "Images to show",
  noneTitle: "No image library yet",
  none: "Keep a copy of everything you made on a site: new pictures and videos arrive with one click.",
  setUp: "Set up images…",
  syncAll: "Sync all",
  sync: "Sync",
  syncing: "Syncing…",
  syncingSource: (name) => `Syncing ${name}`,
  syncStarted: (name) => `Syncing ${name}.`,
  look: "Only look for what is new",
  looking: (name) => `Looking for what is new in ${name}.`,
  browse: "Browse",
  more: "More",
  signIn: "Sign in…",
  signOut: "Sign out",
  signedOut: (name) => `Signed out of ${name}.`,
  edit: "Change…",
  remove: "Remove…",
  removed: (name) => `${name} is no longer synced. Its files stay.`,
  removeTitle: (name) => `Remove ${name}?`,
  removeText: (files) =>
    `It is no longer synced, and its sign-in is forgotten. ${files ? `Its ${plural(files, "file stays", "files stay")} in the folder.` : ""}`,
  removeYes: "Remove the source",
  empty: "Nothing here yet. Sync to read the library.",
  emptyRunning: "The library is being read. The first pictures appear here in a moment.",
  emptyKind: "Nothing of this kind.",
  showMore: "Show more",
  noDate: "Without a date",
  tick: (name) => `Tick ${name}`,
  view: (name) => `Show ${name}`,
  ticked: (count) => `${number(count)} ticked`,
  untick: "Untick all",
  fetch: (count) => `Fetch ${number(count)}`,
  fetching: (count, all) => `Fetching ${number(count)} of ${number(all)}.`,
  trash: (count) => (count === 1 ? "Move to the trash" : `Move ${number(count)} to the trash`),
  trashed: (count) => `${plural(count, "picture goes", "pictures go")} to the trash.`,
  isNew: "new",
  video: "video",
  tally: ({ items, present, missing, gone }) =>
    [
      `${plural(items ?? 0, "item", "items")}`,
      `${number(present ?? 0)} here`,
      missing ? `${number(missing)} to fetch` : "",
      gone ? `${number(gone)} gone from the site` : "",
    ]
      .filter(Boolean)
      .join(" · "),
  never: "Never synced.",
  reading: (page, seen) => `Reading page ${number(page)}, ${plural(seen, "item", "items")} seen…`,
  arriving: (here, all) => `Fetching ${number(here)} of ${number(all)}…`,
  suspicious: "Most of the library seemed gone, so nothing was marked as gone. Look at the site, then sync again.",
  last: (when, outcome) => `Last sync ${when}: ${outcome}.`,
  outcomes: { complete: "everything was read", incomplete: "not all pages were read", failed: "it failed" },
  fresh: (count) => `${plural(count, "new item", "new items")}`,
};

export const VIEWER = {
  title: "Picture",
  at: (place, all) => `${number(place)} of ${number(all)}`,
  previous: "Previous (left arrow)",
  next: "Next (right arrow)",
  open: "Open",
  folder: "Open folder",
  trash: "Move to the trash (Delete)",
  close: "Close (Escape)",
  cannot: "This file cannot be shown here. Open it instead.",
  loading: "Loading…",
};

export const WIZARD = {
  title: "Set up images",
  type: "Library",
  types: [
    ["flow", "Flow (labs.google)"],
    ["json", "Another site with a JSON API"],
  ],
  name: "Name",
  nameHint: "also the name of its folder",
  folderCalled: (name) => `Its folder will be called ${name}.`,
  every: "Sync",
  signIn: "Sign-in",
  signInHint: "It is kept in the system’s keyring, or in a file that only you can read.",
  cookieHow: "Where to find it",
  cookie:
    "Simplest: save without it, then open the extension of a paired browser on labs.google and choose “Sign in”. By hand: sign in at labs.google/fx, open the developer tools (F12), choose Application or Storage, then Cookies, and copy the value of __Secure-next-auth.session-token. It is a key to your account: give it to nobody else.",
  needsSignIn: "Paste the sign-in into its field first, or save and sign in later.",
  needsName: "Give it a name first.",
  look: "Look at the first items",
  looking: "Signing in and reading the first page…",
  save: "Save and sync",
  saveLater: "Save, sign in later",
  cancel: "Cancel",
  saved: "Saved. The first sync starts now.",
  savedLater: (name) => `Saved. Sign in to ${name} with the extension, or here.`,
  firstItems: "The first items:",
  signedInAs: (account) => (account && account !== "default" ? `Signed in as ${account}. ` : ""),
  emptyLibrary: "It works, but the library is empty.",
  asText: "Describe it as text",
  asTextHint: "as in the documentation on sources; it counts instead of the fields above",
  badText: (why) => `The description is not valid JSON: ${why}`,
  logInTo: (name) => `Sign in to ${name}`,
  logIn: "Sign in",
  logInText:
    "Open the extension of a paired browser on the site and choose “Sign in”; or paste the site’s session cookie, a Cookie header, cookies.txt or a token here.",
  secret: "Cookie or token",
  loggedIn: (account) => (account && account !== "default" ? `Signed in as ${account}.` : "Signed in."),
  changeTitle: (name) => `Change ${name}`,
  change: "Save",
  changed: (name) => `${name}: saved.`,
  removedSecret: "Forget the sign-in",
};

/** The set-up of a JSON source by an example of its answer. */
export const EXAMPLE = {
  address: "Address of its list",
  addressHint: "what the site’s documentation calls “list”; open it in the browser to see whether it answers",
  token: "Key or token",
  tokenHint: "if the site wants one; it is kept in the system’s keyring, or in a file that only you can read",
  sent: "How the key is sent",
  sentWays: [
    ["bearer", "Authorization: Bearer …"],
    ["token", "Authorization: Token …"],
    ["header", "X-Api-Key: …"],
    ["query", "in the address: ?api_key=…"],
  ],
  show: "Show its answer",
  asking: "Asking the site…",
  needsAddress: "Give the address of its list first, such as https://api.example.com/items.",
  noList: "There is no list of items in the answer. Is this the right address?",
  list: "The list of items",
  whole: "the whole answer",
  choose: "Choose a field, then click its value in the first item.",
  roles: {
    id: "Its number or id",
    url: "Address of the file",
    name: "Name",
    created: "Date",
    kind: "Picture or video",
    size: "Size in bytes",
  },
  needed: "needed",
  notChosen: "not chosen",
  forget: (role) => `${role}: not in the answer`,
  paging: "How it goes on",
  pagings: [
    ["", "There is one page only"],
    ["cursor", "The answer holds a word for the next page"],
    ["next_url", "The answer holds the address of the next page"],
    ["link_header", "By its Link header"],
    ["page", "Pages are counted: 1, 2, 3"],
    ["offset", "Items are counted: 0, 50, 100"],
  ],
  next: "Where the next page stands",
  parameter: "Its name in the address",
  needsRole: (role) => `Choose “${role}” in the answer first.`,
  item: "The first item of the answer",
};
