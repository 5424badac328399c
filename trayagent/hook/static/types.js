// Types of files by the ending of their name; the agent sorts by the same table.
const ENDINGS = {
  video: "3gp avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts vob webm wmv",
  image: "avif bmp gif heic heif ico jfif jpeg jpg jxl png psd raw svg tif tiff webp",
  audio: "aac aif aiff alac flac m4a m4b mid mka mp3 oga ogg opus wav weba wma",
  document:
    "azw3 csv djvu doc docx epub htm html json md mobi odp ods odt pdf ppt pptx ps rtf srt tex txt vtt xls xlsx xml",
  archive: "7z apk bz2 cab deb dmg gz img iso jar lz4 rar rpm tar tgz txz xz zip zst",
};
export const TYPE_OF = new Map(
  Object.entries(ENDINGS).flatMap(([type, endings]) => endings.split(" ").map((ending) => [ending, type])),
);
const GLYPHS = {
  video: "video",
  image: "images",
  audio: "sound",
  document: "document",
  archive: "archive",
  other: "file",
};

/** `video`, `image`, … or `other`, by the name. */
export function typeOf(name) {
  const dot = name.lastIndexOf(".");
  return TYPE_OF.get(name.slice(dot + 1).toLowerCase()) ?? "other";
}

/** The icon of a type. */
export const glyphOf = (type) => GLYPHS[type];
