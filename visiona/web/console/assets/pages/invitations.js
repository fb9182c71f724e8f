// Who is invited into a workspace. An invitation's link is shown once, to be handed on.

import { mayChange } from "../access.js";
import { get, post, remove } from "../api.js";
import { confirm, field, form, open } from "../dialogs.js";
import { h, replace } from "../dom.js";
import { KeptRows } from "../kept_rows.js";
import { announce, button, chip, copyable, facts } from "../parts.js";
import { currentLanguage, has, moment, t } from "../text.js";

/** The panel; `load(workspace)` shows those that wait. Who cannot invite does not see it. */
export function invitationsPart(context) {
  const { id, signal, me } = context;
  const rows = new KeptRows(h("ul", { class: "people" }), (item) => row(item, id, reload));
  const none = h("p", { class: "quiet" }, t("invitations.none"));
  const invite = button(t("invitations.invite"), { kind: "primary", on: { click: () => ask(id, reload) } });
  const element = h("section", { class: "panel group", "aria-labelledby": "invitations-title", hidden: true }, h("div", { class: "panel-head" }, h("h2", { id: "invitations-title" }, t("invitations.title")), invite), none, rows.element);

  let timer = null;
  signal.addEventListener("abort", () => clearTimeout(timer));

  async function reload() {
    clearTimeout(timer);
    const { items } = await get(`api/workspaces/${id}/invitations`, signal);
    none.hidden = items.length > 0;
    rows.show(items);
    // No event tells what became of a mail; the server tries for a while and then gives up.
    if (items.some((one) => one.mail === "queued")) timer = setTimeout(() => reload().catch(() => {}), MAIL_MILLISECONDS);
  }

  async function load() {
    element.hidden = !mayChange(me, id);
    if (!element.hidden) await reload();
  }

  return { element, load };
}

function row(item, id, reload) {
  const withdraw = button(t("invitations.withdraw"), { kind: "danger-quiet", "aria-label": t("invitations.withdrawThis", { email: item.email }), on: { click: () => askWithdraw(item, id, reload) } });
  return h(
    "li",
    {},
    h("div", { class: "row-main" }, h("div", { class: "row-head" }, h("strong", {}, item.email), chip(t(`role.${item.role}`), "quiet"), mailed(item)), facts([[t("pairing.expires"), moment(item.expires_at)]], "facts inline"), item.mail_fault ? h("p", { class: "small quiet", lang: "en" }, item.mail_fault) : null),
    h("div", { class: "row-actions" }, withdraw),
  );
}

const MAIL_MILLISECONDS = 5000;
const TONES = { sent: "good", queued: "quiet", failed: "bad", limited: "warn" };

/** What became of the mail with the link, where the server sends mail. */
function mailed(item) {
  return has(`mail.${item.mail}`) ? chip(t(`mail.${item.mail}`), TONES[item.mail]) : null;
}

function ask(id, reload) {
  const email = h("input", { name: "email", type: "email", required: true, maxlength: "320", autocomplete: "off" });
  const roles = ["member", "admin"].map((one) =>
    h("label", { class: "choice" }, h("input", { type: "radio", name: "role", value: one, checked: one === "member" }), h("span", {}, h("strong", {}, t(`role.${one}`)), h("span", { class: "small quiet" }, t(`members.now.${one}`)))),
  );
  form({
    title: t("invitations.invite"),
    fields: () => h("div", {}, field(t("invitations.email"), email, t("invitations.emailHint")), h("fieldset", {}, h("legend", {}, t("members.role")), roles)),
    doing: t("invitations.make"),
    act: async (data, dialog) => {
      const made = await post(`api/workspaces/${id}/members`, { email: data.get("email"), role: data.get("role"), language: currentLanguage() }).catch((error) => {
        if (error.code !== "CONFLICT") throw error;
        throw Object.assign(error, { code: "VALIDATION_FAILED", message: t("invitations.conflict") });
      });
      dialog.close();
      showOnce(made);
      await reload();
    },
  });
}

function showOnce(made) {
  open(t("invitations.madeTitle", { email: made.email }), (dialog) =>
    h(
      "div",
      {},
      h("p", {}, t("invitations.once")),
      copyable(made.link, { label: t("invitations.link") }),
      h("p", {}, mailed(made)),
      h("p", { class: "quiet" }, t("invitations.works", { until: moment(made.expires_at) })),
      h("div", { class: "buttons" }, button(t("tokens.kept"), { kind: "primary", on: { click: () => dialog.close() } })),
    ),
  );
}

function askWithdraw(item, id, reload) {
  confirm({
    title: t("invitations.withdrawTitle", { email: item.email }),
    sentences: [t("invitations.withdrawText")],
    doing: t("invitations.withdraw"),
    act: async () => {
      await remove(`api/workspaces/${id}/invitations/${item.id}`).catch((error) => {
        if (error.status !== 404) throw error;
      });
      announce(t("invitations.withdrawn"));
      await reload();
    },
  });
}
