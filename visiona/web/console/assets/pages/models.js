// All models: what they are for, bringing one, taking one, loading one onto a device.

import { changeable, mayChange, workspaceName } from "../access.js";
import { get, remove } from "../api.js";
import { confirm } from "../dialogs.js";
import { h, icon, replace } from "../dom.js";
import { KeptRows } from "../kept_rows.js";
import { onLive } from "../live.js";
import { askWhere } from "../load_dialog.js";
import { ago, announce, button, chip, empty, facts, heading, problem, waiting } from "../parts.js";
import { url } from "../routes.js";
import { size, t, tn } from "../text.js";
import { askForModel, uploadList } from "./model_upload.js";

const SHOWN = 100; // more when somebody wants them

export function models(context) {
  const { signal, title, me, workspace } = context;
  title(t("nav.models"));
  const mayBring = changeable(me).some((one) => workspace === null || one.id === workspace);
  const body = h("div", {}, waiting(3, "row"));
  const count = h("p", { class: "summary quiet", role: "status" });
  const rows = new KeptRows(h("ul", { class: "rows" }), (item) => row(item, context, load));
  const foot = h("div", { class: "foot" });
  const choice = filters(() => draw(SHOWN));
  let all = null;

  async function load() {
    try {
      all = (await get("api/models", signal)).filter((one) => workspace === null || one.workspace_id === workspace || !one.workspace_id);
      choice.offer(all);
      draw(Math.max(SHOWN, rows.element.childElementCount));
    } catch (error) {
      if (error.name !== "AbortError" && all === null) replace(body, problem(error, load));
    }
  }

  function draw(most) {
    if (all.length === 0) {
      replace(body, nothingYet(mayBring, bring));
      return;
    }
    const found = all.filter(choice.takes);
    replace(count, tn("models.count", found.length));
    rows.show(found.slice(0, most));
    replace(foot, found.length > most && button(t("models.more"), { on: { click: () => draw(most + SHOWN) } }));
    if (rows.element.parentNode !== body) replace(body, choice.element, count, rows.element, foot);
  }

  const bring = () => askForModel(context);
  const uploads = uploadList(signal, (model) => {
    announce(t("upload.arrived", { name: model.name }));
    load();
  });
  onLive((kind) => kind === "resync" && load(), signal);
  load();
  const action = mayBring ? button(t("models.upload"), { kind: "primary", sign: "upload", on: { click: bring } }) : null;
  return h("div", {}, heading(t("nav.models"), action), h("p", { class: "lead" }, t("models.intro")), uploads, body);
}

/** What to show of them: `takes(model)`; the chips are those that there are. */
function filters(changed) {
  const text = h("input", { type: "search", placeholder: t("models.search"), "aria-label": t("models.search") });
  const chips = h("select", { "aria-label": t("models.chip") });
  const sources = h("select", { "aria-label": t("models.source") }, option("", t("models.anySource")), ["uploaded", "converted", "builtin"].map((one) => option(one, t(`source.${one}`))));
  for (const [control, event] of [[text, "input"], [chips, "change"], [sources, "change"]]) control.addEventListener(event, changed);
  return {
    element: h("div", { class: "filters", role: "search" }, text, chips, sources),
    offer(all) {
      const known = [...new Set(all.flatMap((one) => one.target_chips))].sort();
      const before = known.includes(chips.value) ? chips.value : "";
      replace(chips, option("", t("models.anyChip")), known.map((one) => option(one, one)));
      chips.value = before;
    },
    takes(one) {
      const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      const said = [one.name, one.version, one.description, one.license].join(" ").toLowerCase();
      return (!chips.value || one.target_chips.includes(chips.value)) && (!sources.value || one.source === sources.value) && words.every((word) => said.includes(word));
    },
  };
}

const option = (value, text) => h("option", { value }, text);

function row(item, context, reload) {
  const { me, workspace } = context;
  const isReady = item.status === "ready";
  const mine = item.workspace_id !== undefined && mayChange(me, item.workspace_id);
  const name = `${item.name} ${item.version}`;
  const actions = [
    isReady && button(t("models.load"), { sign: "chip", "aria-label": t("models.loadThis", { name }), on: { click: () => askWhere(context, item) } }),
    isReady && h("a", { class: "button", href: url(`api/models/${item.id}/download`), download: true, "aria-label": t("models.downloadThis", { name }) }, icon("download"), h("span", {}, t("models.download"))),
    !isReady && mine && button(t("upload.goOn"), { sign: "upload", "aria-label": t("upload.goOnThis", { name }), on: { click: () => askForModel({ me, known: item }) } }),
    mine && button(t("models.delete"), { kind: "danger-quiet", "aria-label": t("models.deleteThis", { name }), on: { click: () => ask(item, name, reload) } }),
  ];
  return h(
    "li",
    { "data-model": item.id },
    h(
      "div",
      { class: "row-main" },
      h("div", { class: "row-head" }, h("strong", { dir: "auto" }, item.name), h("span", { class: "quiet", dir: "auto" }, item.version), isReady ? null : chip(t("models.pending"), "warn")),
      h("ul", { class: "tags", "aria-label": t("models.chips") }, item.target_chips.map((one) => h("li", {}, one))),
      facts(
        [
          [t("models.size"), size(item.file_size)],
          [t("models.source"), t(`source.${item.source}`)],
          [t("models.added"), ago(item.created_at)],
          [t("workspace.one"), workspace === null && me.workspaces.length > 1 && item.workspace_id ? workspaceName(me, item.workspace_id) : null],
        ],
        "facts inline",
      ),
      details(item),
    ),
    h("div", { class: "row-actions" }, actions),
  );
}

function details(item) {
  const metrics = Object.entries(item.metrics ?? {}).map(([name, value]) => `${name}: ${value}`);
  return h(
    "details",
    {},
    h("summary", { class: "small" }, t("models.details")),
    facts([
      [t("upload.description"), item.description],
      [t("upload.license"), item.license],
      [t("models.metrics"), metrics.join(", ")],
      ["SHA-256", h("code", {}, item.sha256)],
      [t("device.id"), h("code", {}, item.id)],
    ]),
  );
}

function ask(item, name, reload) {
  confirm({
    title: t("models.deleteTitle", { name }),
    sentences: [t("models.deleteText"), t("models.deleteDevices")],
    doing: t("models.delete"),
    act: async () => {
      await remove(`api/models/${item.id}`).catch((error) => {
        if (error.status !== 404) throw error;
      });
      announce(t("models.deleted"));
      await reload();
    },
  });
}

function nothingYet(mayBring, bring) {
  if (!mayBring) return empty(t("models.emptyTitle"), t("models.emptyMember"));
  return empty(
    t("models.emptyTitle"),
    t("models.emptyText"),
    h("p", {}, button(t("models.upload"), { kind: "primary", on: { click: bring } })),
    h("p", { class: "quiet" }, t("models.emptyCommand")),
    h("pre", { tabindex: "0", role: "region", "aria-label": t("models.emptyCommand") }, h("code", {}, "visiona model push FILE --chip KL720")),
  );
}
