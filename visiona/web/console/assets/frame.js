// What stands around every page: the navigation, who is signed in, whether the page is live.

import { post } from "./api.js";
import { h, icon, s } from "./dom.js";
import { announce, button, link } from "./parts.js";
import { to } from "./routes.js";
import { currentLanguage, LANGUAGES, t } from "./text.js";

const ENTRIES = [
  ["devices", ["devices", "device", "addDevice"]],
  ["pairing", ["pairing"]],
  ["tokens", ["tokens"]],
  ["sessions", ["sessions"]],
  ["reference", ["reference"]],
];

const LOST_MILLISECONDS = 2500; // a reconnection is usually quicker, and then nobody needs to know

/** The frame: `elements` for the page, `main` for what it shows, `choose(page)`, `showLive(state)`. */
export function frame(me, { chooseLanguage, signedOut }) {
  const links = new Map();
  const items = ENTRIES.map(([name, pages]) => {
    const anchor = link(to[name], { class: "entry" }, icon(name), h("span", {}, t(`nav.${name}`)));
    for (const page of pages) links.set(page, anchor);
    return h("li", {}, anchor);
  });
  const main = h("main", { id: "main", tabindex: "-1" });
  const lost = h("p", { class: "lost", role: "status", hidden: true }, t("live.lost"));
  const account = accountPart(me, { chooseLanguage, signedOut });
  const side = h(
    "header",
    { class: "side" },
    h("div", { class: "side-top" }, link("", { class: "brand" }, mark(), h("span", {}, "visiona")), menuButton(account)),
    h("nav", { "aria-label": t("nav.label") }, h("ul", {}, items)),
    account,
  );
  const announcer = h("div", { id: "announcer", class: "unseen", "aria-live": "polite" });
  let timer = null;
  return {
    main,
    elements: [h("a", { class: "skip", href: "#main", on: { click: skipTo(main) } }, t("app.skip")), side, main, lost, announcer],
    choose(page) {
      for (const anchor of links.values()) anchor.removeAttribute("aria-current");
      links.get(page)?.setAttribute("aria-current", "page");
    },
    showLive(state) {
      clearTimeout(timer);
      if (state === "open") lost.hidden = true;
      else timer = setTimeout(() => (lost.hidden = false), LOST_MILLISECONDS);
    },
  };
}

function accountPart(me, { chooseLanguage, signedOut }) {
  const options = Object.entries(LANGUAGES).map(([name, own]) =>
    h("option", { value: name, lang: name, selected: name === currentLanguage() }, own),
  );
  const select = h("select", { id: "language", "aria-label": t("nav.language") }, options);
  select.addEventListener("change", () => chooseLanguage(select.value));
  const leave = button(t("nav.signOut"), { kind: "quiet", sign: "signOut" });
  leave.addEventListener("click", async () => {
    leave.disabled = true;
    try {
      const said = await post("api/auth/logout");
      signedOut(said?.logout_url ?? null);
    } catch (error) {
      leave.disabled = false;
      announce(error.words ?? String(error));
    }
  });
  const person = h("p", { class: "person", title: me.email }, me.name ? h("strong", {}, me.name) : null, h("span", {}, me.email));
  return h("div", { class: "account", id: "account" }, person, select, leave);
}

function menuButton(account) {
  const toggle = h("button", { type: "button", class: "button quiet menu", "aria-expanded": "false", "aria-controls": "account" }, icon("menu"), h("span", { class: "unseen" }, t("nav.menu")));
  const set = (open) => {
    toggle.setAttribute("aria-expanded", String(open));
    account.classList.toggle("open", open);
  };
  toggle.addEventListener("click", () => set(toggle.getAttribute("aria-expanded") !== "true"));
  document.addEventListener("keydown", (event) => event.key === "Escape" && set(false));
  return toggle;
}

// The fragment would lead away from the page, whose address is made from its path.
function skipTo(main) {
  return (event) => {
    event.preventDefault();
    main.focus();
  };
}

export function mark() {
  return s(
    "svg",
    { class: "mark", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    s("circle", { cx: 12, cy: 12, r: 3 }),
    s("path", { d: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12z" }),
  );
}
