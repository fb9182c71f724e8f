// The words, in the language that was chosen. Dictionaries are flat: a key, a sentence, `{name}` for what is put in.

export const LANGUAGES = { en: "English", "zh-TW": "繁體中文", "zh-CN": "简体中文" };
const CHOICE = "visiona.language";

let words = {};
let language = "en";

/** The language to begin with: the one chosen in this browser, else the one that the browser asked the server for. */
export function firstLanguage() {
  const chosen = stored();
  return chosen in LANGUAGES ? chosen : document.documentElement.lang;
}

/** Loads a dictionary and makes it the one in use. */
export async function useLanguage(name) {
  const answer = await fetch(new URL(`text/${name}.json`, import.meta.url));
  if (!answer.ok) throw new Error("the dictionary is not there any more");
  words = await answer.json();
  language = name;
  document.documentElement.lang = name;
}

/** Remembers a choice in this browser; where it may not, the choice lasts as long as the page. */
export function rememberLanguage(name) {
  try {
    localStorage.setItem(CHOICE, name);
  } catch {
    // Storage can be forbidden.
  }
}

function stored() {
  try {
    return localStorage.getItem(CHOICE);
  } catch {
    return null;
  }
}

export function currentLanguage() {
  return language;
}

/** A sentence with its values. */
export function t(key, values = {}) {
  const sentence = words[key] ?? key;
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** A sentence that has a number, in the form that the number needs. */
export function tn(key, count, values = {}) {
  const form = new Intl.PluralRules(language).select(count);
  const chosen = `${key}.${form}` in words ? `${key}.${form}` : `${key}.other`;
  return t(chosen, { count, ...values });
}

/** A sentence as a list of pieces, with elements where the values are. */
export function pieces(key, values) {
  return (words[key] ?? key).split(/\{(\w+)\}/).map((piece, index) => (index % 2 ? (values[piece] ?? "") : piece));
}

/** Whether there are words of ours for something, such as an error's code. */
export function has(key) {
  return key in words;
}

const UNITS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

/** "3 minutes ago"; what is younger than a minute is just now, whatever the two clocks say. */
export function relative(at, now = Date.now()) {
  const seconds = (Date.parse(at) - now) / 1000;
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
  }
  return t("time.now");
}

/** A moment in full, in this browser's time zone. */
export function moment(at) {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" }).format(new Date(at));
}

/** A day. */
export function day(at) {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium" }).format(new Date(at));
}

const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte"];

/** How much that is, such as "8.4 MB". */
export function size(bytes) {
  const power = Math.min(SIZES.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const format = { style: "unit", unit: SIZES[power], maximumFractionDigits: power > 1 ? 1 : 0 };
  return new Intl.NumberFormat(language, format).format(bytes / 1000 ** power);
}

/** "14:05" */
export function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
