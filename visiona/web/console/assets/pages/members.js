// Who is in a workspace: roles, and leaving it. What would be refused is not offered: an admin makes no owners, and one
// owner stays.

import { ROLES } from "../access.js";
import { get, patch, remove } from "../api.js";
import { confirm } from "../dialogs.js";
import { h, replace } from "../dom.js";
import { KeptRows } from "../kept_rows.js";
import { ago, announce, button, chip, facts } from "../parts.js";
import { to } from "../routes.js";
import { t, tn } from "../text.js";

/** The panel; `load(workspace)` shows who is there now. `reload` asks for the whole page anew. */
export function membersPart(context, reload) {
  const { id, signal, me } = context;
  const rows = new KeptRows(h("ul", { class: "people" }), (item) => row(item, context, reload), (item) => item.user_id);
  const count = h("p", { class: "small quiet" });
  const element = h("section", { class: "panel group", "aria-labelledby": "members-title" }, h("h2", { id: "members-title" }, t("members.title")), count, rows.element);
  async function load(workspace) {
    const { items } = await get(`api/workspaces/${id}/members`, signal);
    const owners = items.filter((one) => one.role === "owner");
    const isLast = (one) => owners.length === 1 && owners[0].user_id === one.user_id;
    replace(count, tn("members.count", items.length));
    rows.show(items.map((one) => ({ ...one, mine: workspace.role, isMe: one.user_id === me.sub, isLast: isLast(one) })));
  }
  return { element, load };
}

/** The roles that the person may give to a member. */
function rolesFor(item) {
  if (item.mine === "owner") return ROLES;
  return item.mine === "admin" && item.role !== "owner" ? ["member", "admin"] : [];
}

function row(item, context, reload) {
  const roles = item.isLast ? [] : rolesFor(item);
  const name = item.name || item.email;
  const mayRemove = !item.isLast && (item.isMe || roles.length > 0);
  const removal = button(t(item.isMe ? "members.leave" : "members.remove"), { kind: "danger-quiet", "aria-label": item.isMe ? undefined : t("members.removeThis", { name }), on: { click: () => ask(item, name, context, reload) } });
  return h(
    "li",
    { "data-member": item.user_id },
    h(
      "div",
      { class: "row-main" },
      h("div", { class: "row-head" }, h("strong", { dir: "auto" }, name), item.isMe && chip(t("members.you"), "quiet")),
      item.name ? h("p", { class: "small quiet" }, item.email) : null,
      facts([[t("members.since"), ago(item.joined_at)]], "facts inline"),
      item.isLast && (item.isMe || item.mine === "owner") ? h("p", { class: "small quiet" }, t("members.lastOwner")) : null,
    ),
    h("div", { class: "row-actions" }, roles.length > 1 ? roleChoice(item, name, roles, context, reload) : chip(t(`role.${item.role}`), "quiet"), mayRemove && removal),
  );
}

function roleChoice(item, name, roles, { id, refresh }, reload) {
  const select = h("select", { "aria-label": t("members.roleOf", { name }) }, roles.map((role) => h("option", { value: role, selected: role === item.role }, t(`role.${role}`))));
  const change = async (role) => {
    await patch(`api/workspaces/${id}/members/${item.user_id}`, { role }).catch(inWords);
    announce(t("members.changed", { name, role: t(`role.${role}`) }));
    if (item.isMe) await refresh();
    await reload();
  };
  select.addEventListener("change", () => {
    const role = select.value;
    // By the arrow keys one passes what one does not mean; so it is asked first, and done by the answer.
    select.value = item.role;
    confirm({
      title: t("members.changeTitle", { name, role: t(`role.${role}`) }),
      sentences: [t(`members.now.${role}`), item.isMe ? t("members.ownRole") : null, role === "member" ? t("members.loses") : null].filter(Boolean),
      doing: t("members.change"),
      kind: "primary",
      act: () => change(role),
    });
  });
  return select;
}

function ask(item, name, { id, refresh, go }, reload) {
  confirm({
    title: item.isMe ? t("members.leaveTitle") : t("members.removeTitle", { name }),
    sentences: [t(item.isMe ? "members.leaveAccess" : "members.removeAccess"), t("members.removeCut"), t("members.loses"), t("members.devicesStay")],
    doing: t(item.isMe ? "members.leave" : "members.remove"),
    act: async () => {
      const gone = await remove(`api/workspaces/${id}/members/${item.user_id}`).catch(inWords);
      announce(tn("members.removed", gone.sockets_closed, { name }));
      if (!item.isMe) return reload();
      await refresh();
      return go(to.workspaces);
    },
  });
}

/** The only conflict that there is here. */
function inWords(error) {
  if (error.code !== "CONFLICT") throw error;
  throw Object.assign(error, { code: "VALIDATION_FAILED", message: t("members.lastOwnerStays") });
}
