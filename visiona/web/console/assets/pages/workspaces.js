// The workspaces that the person is in, and making one.

import { workspaceName } from "../access.js";
import { get, post } from "../api.js";
import { field, form } from "../dialogs.js";
import { h, replace } from "../dom.js";
import { KeptRows } from "../kept_rows.js";
import { onLive } from "../live.js";
import { ago, button, chip, facts, heading, link, problem, waiting } from "../parts.js";
import { to } from "../routes.js";
import { t } from "../text.js";

export function workspaces({ signal, title, me, go, refresh }) {
  title(t("nav.workspaces"));
  const body = h("div", {}, waiting(2, "row"));
  const rows = new KeptRows(h("ul", { class: "rows" }), (item) => row(item, me));

  async function load() {
    try {
      const { items } = await get("api/workspaces", signal);
      rows.show(items);
      if (rows.element.parentNode !== body) replace(body, rows.element);
    } catch (error) {
      if (error.name !== "AbortError") replace(body, problem(error, load));
    }
  }

  function make() {
    const name = h("input", { name: "name", type: "text", required: true, maxlength: "120", autocomplete: "off" });
    form({
      title: t("workspaces.new"),
      fields: () => field(t("workspaces.name"), name, t("workspaces.nameHint")),
      doing: t("workspaces.make"),
      act: async (data) => {
        const made = await post("api/workspaces", { name: data.get("name") });
        await refresh();
        go(to.workspace(made.id));
      },
    });
  }

  onLive((kind) => kind === "resync" && load(), signal);
  load();
  const action = button(t("workspaces.new"), { kind: "primary", on: { click: make } });
  return h("div", {}, heading(t("nav.workspaces"), action), h("p", { class: "lead" }, t("workspaces.intro")), body);
}

function row(item, me) {
  return h(
    "li",
    { "data-workspace": item.id },
    h(
      "div",
      { class: "row-main" },
      h("div", { class: "row-head" }, h("strong", { dir: "auto" }, link(to.workspace(item.id), {}, workspaceName(me, item.id))), chip(t(`role.${item.role}`), item.role === "member" ? "quiet" : "good")),
      facts([[t("workspaces.made"), ago(item.created_at)]], "facts inline"),
    ),
  );
}
