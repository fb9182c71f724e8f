// What stands around every page: the navigation, who is signed in, whether the page is live.

import { workspaceName } from "./access.js";
import { post } from "./api.js";
import { h, icon, replace, s } from "./dom.js";
import { announce, button, link } from "./parts.js";
import { to } from "./routes.js";
import { currentLanguage, LANGUAGES, t } from "./text.js";

const ENTRIES = [
  ["devices", ["devices", "device", "addDevice"]],
  ["models", ["models"]],
  ["pairing", ["pairing"]],
  ["activity", ["activity"]],
  ["settings", ["workspaces", "workspace", "tokens", "sessions", "reference"]],
];

const TABS = [
  ["workspaces", ["workspaces", "workspace"]],
  ["tokens", ["tokens"]],
  ["sessions", ["sessions"]],
  ["reference", ["reference"]],
];

const LOST_MILLISECONDS = 2500; // a reconnection is usually quicker, and then nobody needs to know

/** The frame: `elements` for the page, `main` for what it shows, `choose(page)`, `showLive(state)`. */
export function frame(me, { chooseLanguage, choose, signedOut }) {
  const links = new Map();
  const items = ENTRIES.map(([name, pages]) => {
    const anchor = link(to[name] ?? to.workspaces, { class: "entry" }, icon(name), h("span", {}, t(`nav.${name}`)));
    for (const page of pages) links.set(page, anchor);
    return h("li", {}, anchor);
  });
  const main = h("main", { id: "main", tabindex: "-1" });
  const lost = h("p", { class: "lost", role: "status", hidden: true }, t("live.lost"));
  const workspaces = h("div", {});
  const account = accountPart(me, workspaces, { chooseLanguage, signedOut });
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
      const tabs = TABS.some(([, pages]) => pages.includes(page));
      for (const anchor of links.values()) anchor.removeAttribute("aria-current");
      links.get(page)?.setAttribute("aria-current", tabs ? "true" : "page");
    },
    /** Whose things are shown can be chosen by who is in several workspaces. */
    showWorkspaces(chosen) {
      replace(workspaces, me.workspaces.length > 1 && workspaceChoice(me, chosen, choose));
    },
    showLive(state) {
      clearTimeout(timer);
      if (state === "open") lost.hidden = true;
      else timer = setTimeout(() => (lost.hidden = false), LOST_MILLISECONDS);
    },
  };
}

/** The pages of the settings, to go from one to the next; null for a page that is none of them. */
export function settingsTabs(page) {
  if (!TABS.some(([, pages]) => pages.includes(page))) return null;
  const items = TABS.map(([name, pages]) => h("li", {}, link(to[name], { class: "tab", "aria-current": pages.includes(page) && "page" }, t(`nav.${name}`))));
  return h("nav", { class: "tabs", "aria-label": t("nav.settings") }, h("ul", {}, items));
}

function workspaceChoice(me, chosen, choose) {
  const all = h("option", { value: "", selected: chosen === null }, t("workspace.all"));
  const each = me.workspaces.map((one) => h("option", { value: one.id, selected: one.id === chosen }, workspaceName(me, one.id)));
  const select = h("select", { id: "workspace", "aria-label": t("workspace.choose") }, all, each);
  select.addEventListener("change", () => choose(select.value || null));
  return select;
}

function accountPart(me, workspaces, { chooseLanguage, signedOut }) {
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
  return h("div", { class: "account", id: "account" }, person, workspaces, select, leave);
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
