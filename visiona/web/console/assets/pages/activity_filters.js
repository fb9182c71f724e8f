// What to show of the audit log: which deed, whose, on which device, between which days.

import { mayChange } from "../access.js";
import { get } from "../api.js";
import { field } from "../dialogs.js";
import { h, replace } from "../dom.js";
import { button } from "../parts.js";
import { t } from "../text.js";

const GROUPS = {
  signIn: ["sign_in", "sign_in_refused", "sign_out", "sign_out_refused", "session_ended", "credential_refused", "access_refused", "password_changed", "link_created", "link_used", "user_created", "user_disabled", "user_enabled"],
  devices: ["pairing_token_created", "pairing_token_revoked", "paired", "pairing_refused", "unpaired", "device_changed", "device_moved", "device_refused", "session_token_revoked"],
  models: ["model_created", "model_changed", "model_uploaded", "model_deleted", "model_load_started", "model_load_ended", "model_load_cancelled"],
  workspaces: ["workspace_created", "workspace_renamed", "workspace_deleted", "member_invited", "invitation_revoked", "member_joined", "role_changed", "member_removed"],
  tokens: ["token_created", "token_revoked", "audit_exported"],
};
const MAX_WORKSPACES = 10; // whose members are offered; others are learnt from what is shown

/** `query()` is the filter as the API takes it; `learn(entries)` offers the people that they name. */
export function activityFilters(context, changed) {
  const { me, workspace } = context;
  const people = new Map([[me.sub, me.email]]);
  const deed = h("select", {}, option("", t("activity.anyDeed")), Object.entries(GROUPS).map(([name, deeds]) => h("optgroup", { label: t(`activity.group.${name}`) }, deeds.map((one) => option(one, t(`deed.${one}`))))));
  const person = h("select", {}, option("", t("activity.anyPerson")));
  const device = h("select", {}, option("", t("activity.anyDevice")));
  const since = h("input", { type: "date" });
  const until = h("input", { type: "date" });
  const clear = button(t("activity.clear"), { kind: "quiet" });
  const controls = [deed, person, device, since, until];
  const chosen = () => {
    clear.hidden = !controls.some((control) => control.value);
    changed();
  };
  clear.hidden = true;
  for (const control of controls) control.addEventListener("change", chosen);
  clear.addEventListener("click", () => {
    for (const control of controls) control.value = "";
    deed.focus();
    chosen();
  });
  const offerPeople = () => {
    const before = person.value;
    replace(person, option("", t("activity.anyPerson")), [...people].sort(([, one], [, other]) => one.localeCompare(other)).map(([id, email]) => option(id, email)));
    person.value = before;
  };
  offerPeople();
  const names = new Map();
  const ready = offerDevices(device, names, context);
  askForPeople(people, context).then(offerPeople);
  return {
    /** The names of devices, once `ready` is. */
    names,
    ready,
    element: h(
      "div",
      { class: "filters labelled", role: "search" },
      field(t("activity.deed"), deed),
      field(t("activity.person"), person),
      field(t("activity.device"), device),
      field(t("activity.since"), since),
      field(t("activity.until"), until),
      clear,
    ),
    query() {
      const wanted = { deed: deed.value, user: person.value, subject: device.value, workspace: workspace ?? "", since: dayBegins(since.value, 0), until: dayBegins(until.value, 1) };
      return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value));
    },
    learn(entries) {
      const before = people.size;
      for (const { user_id, email } of entries) if (user_id && email && !people.has(user_id)) people.set(user_id, email);
      if (people.size > before) offerPeople();
    },
  };
}

const option = (value, text) => h("option", { value }, text);

/** When a day begins where the person is, some days later; nothing for no day. */
function dayBegins(text, later) {
  if (!text) return "";
  const [year, month, day] = text.split("-").map(Number);
  return new Date(year, month - 1, day + later).toISOString();
}

async function offerDevices(select, names, { signal, workspace }) {
  const found = await get("api/devices", signal).catch(() => []);
  for (const one of found) names.set(one.id, one.name);
  const mine = found.filter((one) => workspace === null || one.workspace_id === workspace);
  select.append(...mine.map((one) => option(one.id, one.name)));
}

async function askForPeople(people, { signal, me, workspace }) {
  const looked = me.workspaces.filter((one) => mayChange(me, one.id) && (workspace === null || one.id === workspace)).slice(0, MAX_WORKSPACES);
  const lists = await Promise.all(looked.map((one) => get(`api/workspaces/${one.id}/members`, signal).catch(() => ({ items: [] }))));
  for (const one of lists.flatMap((list) => list.items)) people.set(one.user_id, one.email);
}
