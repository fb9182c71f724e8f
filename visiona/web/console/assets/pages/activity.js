// The audit log: who did what, from where, and what came of it.

import { workspaceName } from "../access.js";
import { get } from "../api.js";
import { h, icon, replace } from "../dom.js";
import { onLive } from "../live.js";
import { ago, button, chip, facts, heading, link, problem, waiting } from "../parts.js";
import { to, url } from "../routes.js";
import { has, t } from "../text.js";
import { activityFilters } from "./activity_filters.js";

const PAGE = 50;
const SETTLED_MILLISECONDS = 1000; // many things happen at once
const TONES = { ok: "good", refused: "warn", failed: "bad" };

export function activity(context) {
  const { signal, title, me, workspace } = context;
  title(t("nav.activity"));
  const list = h("ol", { class: "timeline", "aria-label": t("nav.activity") });
  const foot = h("div", { class: "foot" });
  const body = h("div", { class: "panel activity", "aria-busy": "true" }, waiting(3, "row"));
  const exports = h("div", { class: "actions" });
  const filters = activityFilters(context, () => load());
  let goesBack = false;
  let asked = 0;
  let timer = null;

  async function load(cursor = null) {
    const turn = (asked += 1);
    try {
      const query = new URLSearchParams({ ...filters.query(), limit: PAGE, ...(cursor && { cursor }) });
      const [page] = await Promise.all([get(`api/audit?${query}`, signal), filters.ready]);
      // Of two questions the answers may come in either order.
      if (turn !== asked) return;
      goesBack = cursor !== null;
      filters.learn(page.items);
      const lines = page.items.map((item) => line(item, filters.names, context));
      if (cursor === null) replace(list, lines);
      else list.append(...lines);
      replace(foot, page.next_cursor ? button(t("timeline.older"), { on: { click: () => load(page.next_cursor) } }) : null);
      replace(body, list.childElementCount ? list : h("p", { class: "quiet" }, t("activity.none")), foot);
      body.removeAttribute("aria-busy");
      if (cursor !== null) lines[0]?.focus();
      showExports();
    } catch (error) {
      if (error.name === "AbortError" || turn !== asked) return;
      body.removeAttribute("aria-busy");
      replace(cursor === null ? body : foot, problem(error, () => load(cursor)));
    }
  }

  function showExports() {
    const address = (format) => url(`api/audit/export?${new URLSearchParams({ ...filters.query(), format })}`);
    const one = (format, name) => h("a", { class: "button", href: address(format), download: true }, icon("download"), h("span", {}, t("activity.export", { format: name })));
    replace(exports, one("csv", "CSV"), one("ndjson", "NDJSON"));
  }

  // What was loaded further down stays; nobody is thrown to the top.
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => signal.aborted || goesBack || list.contains(document.activeElement) || load(), SETTLED_MILLISECONDS);
  };
  onLive((kind) => kind !== "state" && later(), signal);
  signal.addEventListener("abort", () => clearTimeout(timer));
  showExports();
  load();
  return h("div", {}, heading(t("nav.activity"), exports), h("p", { class: "lead" }, t("activity.intro")), filters.element, body);
}

const inWords = (name, value) => (name.startsWith("role") && has(`role.${value}`) ? t(`role.${value}`) : value);

/** What is worth knowing of it, by name; a device by its own, and of a model the name says more than its id. */
function detailsOf(entry, names) {
  const { device, model, ...others } = entry.details;
  const which = [device, entry.subject].find((id) => names.has(id));
  const shown = { ...others, ...(which || !device ? {} : { device }), ...(others.name || !model ? {} : { model }) };
  const pairs = Object.entries(shown).map(([name, value]) => [has(`detail.${name}`) ? t(`detail.${name}`) : name, h("bdi", {}, inWords(name, value))]);
  return which ? [[t("pairing.device"), link(to.device(which), {}, names.get(which))], ...pairs] : pairs;
}

function line(entry, names, { me, workspace }) {
  const deed = has(`deed.${entry.deed}`) ? t(`deed.${entry.deed}`) : entry.deed;
  const isSigningIn = entry.through === "nobody" && entry.email;
  const through = isSigningIn ? null : has(`through.${entry.through}`) ? t(`through.${entry.through}`) : entry.through;
  const where = workspace === null && me.workspaces.length > 1 && entry.workspace_id ? workspaceName(me, entry.workspace_id) : null;
  return h(
    "li",
    { class: TONES[entry.outcome] ?? "quiet", tabindex: "-1" },
    h("span", { class: "dot", "aria-hidden": "true" }),
    h(
      "div",
      { class: "stack tight" },
      h("div", { class: "row-head" }, h("strong", {}, deed), entry.outcome !== "ok" && chip(t(`outcome.${entry.outcome}`), TONES[entry.outcome])),
      h("p", { class: "quiet" }, [entry.email && h("bdi", {}, entry.email), through, entry.address].filter(Boolean).flatMap((part, index) => (index ? [" · ", part] : [part]))),
      facts([...detailsOf(entry, names), [t("workspace.one"), where]], "facts inline"),
    ),
    ago(entry.at),
  );
}
