// One workspace: who is in it and as what, who is invited, and what can be done with it.

import { mayChange, workspaceName } from "../access.js";
import { get, patch, remove } from "../api.js";
import { confirm, field, form } from "../dialogs.js";
import { h, icon, replace } from "../dom.js";
import { onLive } from "../live.js";
import { announce, button, chip, link, problem, waiting } from "../parts.js";
import { to } from "../routes.js";
import { t } from "../text.js";
import { invitationsPart } from "./invitations.js";
import { membersPart } from "./members.js";
import { notFound } from "./not_found.js";

export function workspace(context) {
  const { signal, id, title, me } = context;
  const page = h("div", {}, waiting(2, "panel"));
  const members = membersPart(context, load);
  const invitations = invitationsPart(context);
  const head = h("div", { class: "heading" });
  const name = h("h1", { tabindex: "-1", dir: "auto" });
  const words = h("p", { class: "lead" });
  let drawn = null;

  async function load() {
    try {
      const item = await get(`api/workspaces/${id}`, signal);
      title(workspaceName(me, id));
      drawn = drawn ?? replace(page, link(to.workspaces, { class: "back" }, icon("back"), t("nav.workspaces")), head, words, item.personal ? null : [members.element, invitations.element]);
      show(item);
      if (item.personal) return;
      await Promise.all([members.load(item), invitations.load(item)]);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 404) replace(page, notFound(context));
      else if (drawn === null) replace(page, problem(error, load));
      else announce(error.words ?? String(error));
    }
  }

  function show(item) {
    replace(name, workspaceName(me, id));
    replace(head, name, h("div", { class: "actions" }, actions(item, context, load)));
    replace(words, chip(t(`role.${item.role}`), item.role === "member" ? "quiet" : "good"), " ", t(item.personal ? "workspace.personalText" : `workspace.${item.role}Text`));
  }

  onLive((kind) => kind === "resync" && load(), signal);
  load();
  return page;
}

function actions(item, context, reload) {
  const { me } = context;
  return [
    mayChange(me, item.id) && !item.personal && button(t("workspace.rename"), { sign: "edit", on: { click: () => rename(item, context, reload) } }),
    item.role === "owner" && !item.personal && button(t("workspace.delete"), { kind: "danger-quiet", on: { click: () => askDelete(item, context) } }),
  ];
}

function rename(item, { refresh }, reload) {
  const name = h("input", { name: "name", type: "text", value: item.name, required: true, maxlength: "120", autocomplete: "off" });
  form({
    title: t("workspace.rename"),
    fields: () => field(t("workspaces.name"), name),
    doing: t("dialog.save"),
    act: async (data) => {
      await patch(`api/workspaces/${item.id}`, { name: data.get("name") });
      await refresh();
      announce(t("device.saved"));
      await reload();
    },
  });
}

function askDelete(item, { refresh, go }) {
  confirm({
    title: t("workspace.deleteTitle", { name: item.name }),
    sentences: [t("workspace.deleteText"), t("workspace.deleteEmpty")],
    doing: t("workspace.delete"),
    act: async () => {
      await remove(`api/workspaces/${item.id}`).catch((error) => {
        if (error.code !== "CONFLICT") throw error;
        throw Object.assign(error, { code: "VALIDATION_FAILED", message: t("workspace.notEmpty") });
      });
      await refresh();
      announce(t("workspace.deleted", { name: item.name }));
      go(to.workspaces);
    },
  });
}
