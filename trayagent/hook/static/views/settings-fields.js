// The settings a person may want to change, in words.
import { QUALITIES } from "./add.js";

const choice = (key, words, choices, hint = "") => ({ key, words, kind: "choice", choices, hint });
const text = (key, words, hint = "") => ({ key, words, kind: "text", hint });
const number = (key, words, min, max, hint = "") => ({ key, words, kind: "number", min, max, hint });

/** `[heading, fields]`; a field's key is `section.name` as in config.toml. */
export const GROUPS = [
  [
    "Downloads",
    [
      text("downloads.folder", "Folder", "where files go"),
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
    "Folders",
    [
      text("drop.folder", "Drop folder", "lists put here are downloaded"),
      { key: "drop.poll", words: "Look regularly", kind: "check", hint: "for network folders" },
      text("library.folder", "Image library"),
      choice("library.date", "Sort images by", [
        ["created", "Day they were made"],
        ["downloaded", "Day they were downloaded"],
      ]),
    ],
  ],
  [
    "Network",
    [
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
      text("network.allow", "Always allowed", "host:port, separated by commas"),
      text("network.proxy", "Proxy", "empty for none"),
      number("hook.port", "Port of this page", 0, 65535, "after a restart; 0 is any free one"),
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
