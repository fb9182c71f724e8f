// Which workspaces the person is in and what they may do there; and which one they chose to look at.
// Members see and use, admins change, owners also make and unmake owners. The server decides; here nothing is offered in vain.

import { t } from "./text.js";

export const ROLES = ["member", "admin", "owner"];
const CHOICE = "visiona.workspace";

const find = (me, id) => me.workspaces.find((one) => one.id === id);

/** Whether the person may change what is in a workspace. */
export function mayChange(me, id) {
  return ["admin", "owner"].includes(find(me, id)?.role);
}

/** The workspaces in which the person may change things, the personal one first. */
export function changeable(me) {
  const isPersonal = (one) => Number(one.id === me.personal_workspace_id);
  return me.workspaces.filter((one) => mayChange(me, one.id)).sort((one, other) => isPersonal(other) - isPersonal(one));
}

/** What a workspace is called. */
export function workspaceName(me, id) {
  if (id === me.personal_workspace_id) return t("workspace.own");
  return find(me, id)?.name ?? t("workspace.unknown");
}

/** The workspace that is looked at; null for all of them. */
export function chosenWorkspace(me) {
  let id = null;
  try {
    id = localStorage.getItem(CHOICE);
  } catch {
    // Storage can be forbidden.
  }
  return find(me, id) ? id : null;
}

/** Remembers the choice in this browser; null for all. */
export function chooseWorkspace(id) {
  try {
    if (id === null) localStorage.removeItem(CHOICE);
    else localStorage.setItem(CHOICE, id);
  } catch {
    // Then it is all of them.
  }
}
