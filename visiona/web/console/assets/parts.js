// Small parts that several pages are made of.

import { h, icon, setText } from "./dom.js";
import { url } from "./routes.js";
import { moment, relative, t } from "./text.js";

/** A link to a page of the console. */
export function link(path, attributes, ...children) {
  return h("a", { href: url(path), ...attributes }, children);
}

/** A button; `kind` is "primary", "danger", "quiet" or nothing. */
export function button(text, { kind = "", sign = null, type = "button", ...more } = {}) {
  return h("button", { type, class: `button ${kind}`.trim(), ...more }, sign && icon(sign), h("span", {}, text));
}

/** How long ago something was; the ticker below keeps it true. */
export function ago(at) {
  return h("time", { datetime: at, title: moment(at), "data-relative": true }, relative(at));
}

/** Keeps every relative time of the page true. */
export function startTicker() {
  setInterval(() => {
    for (const element of document.querySelectorAll("time[data-relative]")) {
      setText(element, relative(element.dateTime));
    }
  }, 15000);
}

/** A coloured word; the colour repeats what the word says. `tone` is "good", "bad", "warn" or "quiet". */
export function chip(text, tone) {
  return h("span", { class: `chip ${tone}` }, h("span", { class: "dot", "aria-hidden": "true" }), text);
}

/** A text to be copied, with the button that does it. */
export function copyable(text, { label }) {
  const code = h("code", { class: "copy-text", tabindex: "0", "aria-label": label, role: "textbox", "aria-readonly": "true" }, text);
  const said = h("span", {}, t("copy.do"));
  const copy = h("button", { type: "button", class: "button copy" }, icon("copy"), said);
  copy.addEventListener("click", async () => {
    const done = await copyText(code.textContent, code);
    setText(said, t(done ? "copy.done" : "copy.failed"));
    announce(t(done ? "copy.done" : "copy.failed"));
    setTimeout(() => setText(said, t("copy.do")), 2500);
  });
  return h("div", { class: "copyable" }, code, copy);
}

async function copyText(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without https there is no clipboard; the old way needs the text to be selected.
  }
  getSelection().selectAllChildren(element);
  return document.execCommand("copy");
}

/** Says something to who cannot see it happen. */
export function announce(text) {
  setText(document.getElementById("announcer"), text);
}

/** Something went wrong: what, and a way on. */
export function problem(error, retry) {
  const reference = error.requestId ? h("p", { class: "small quiet" }, t("error.reference", { id: error.requestId })) : null;
  return h(
    "div",
    { class: "notice bad", role: "alert" },
    h("p", {}, error.words ?? String(error)),
    reference,
    retry && button(t("error.retry"), { on: { click: retry } }),
  );
}

/** The place where data will stand, as high as the data, so that nothing jumps. */
export function waiting(count, className) {
  const bones = Array.from({ length: count }, () => h("div", { class: `bone ${className}` }));
  return h("div", { class: "bones", "aria-busy": "true", "aria-label": t("app.loading"), role: "status" }, bones);
}

/** There is nothing yet: what it would be, and the next thing to do. */
export function empty(title, text, ...more) {
  return h("section", { class: "empty" }, h("h2", {}, title), h("p", {}, text), more);
}

/** A page's first line: its name, and what can be done. */
export function heading(title, ...actions) {
  return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, title), h("div", { class: "actions" }, actions));
}

/** A list of facts, as terms and values; a fact without a value is left out. */
export function facts(pairs, className = "facts") {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: className }, known.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))));
}
