// Personal access tokens: what programs sign in with. A token's text is shown once, when it is made.

import { get, post, remove } from "../api.js";
import { confirm, field, form, open } from "../dialogs.js";
import { h, replace } from "../dom.js";
import { ago, announce, button, chip, copyable, empty, facts, heading, problem, waiting } from "../parts.js";
import { serverUrl } from "../routes.js";
import { day, t } from "../text.js";

const SCOPES = ["devices:read", "devices:write", "devices:proxy", "pairing", "models:read", "models:write", "workspaces", "audit:read", "account"];
const USUAL = ["devices:read", "devices:proxy"];
const DAYS = [7, 30, 90, 365];
const USUAL_DAYS = 90;

export function accessTokens({ signal, title, me }) {
  title(t("nav.tokens"));
  const body = h("div", {}, waiting(3, "row"));

  async function load() {
    try {
      const { items } = await get("api/auth/tokens", signal);
      replace(body, items.length === 0 ? nothingYet(make) : h("ul", { class: "rows" }, items.map((token) => row(token, load))));
    } catch (error) {
      if (error.name !== "AbortError") replace(body, problem(error, load));
    }
  }

  function make() {
    const allowed = SCOPES.filter((scope) => me.scopes.includes(scope));
    form({
      title: t("tokens.newTitle"),
      fields: () => formFields(allowed),
      doing: t("tokens.make"),
      act: async (data, dialog) => {
        const days = data.get("days");
        const made = await post("api/auth/tokens", {
          name: data.get("name"),
          scopes: data.getAll("scope"),
          ttl_seconds: days === "never" ? null : Number(days) * 86400,
        });
        dialog.close();
        showOnce(made);
        await load();
      },
    });
  }

  load();
  const action = button(t("tokens.new"), { kind: "primary", on: { click: make } });
  return h("div", {}, heading(t("nav.tokens"), action), h("p", { class: "lead" }, t("tokens.intro")), body);
}

function formFields(allowed) {
  const name = h("input", { name: "name", type: "text", required: true, maxlength: "120", autocomplete: "off" });
  const ends = h("select", { name: "days" }, DAYS.map((days) => h("option", { value: days, selected: days === USUAL_DAYS }, t(`tokens.days.${days}`))), h("option", { value: "never" }, t("tokens.days.never")));
  const boxes = allowed.map((scope) =>
    h("label", { class: "choice" }, h("input", { type: "checkbox", name: "scope", value: scope, checked: USUAL.includes(scope) }), h("span", {}, h("strong", {}, t(`scope.${scope}`)), h("code", {}, scope))),
  );
  return h("div", {}, field(t("tokens.name"), name, t("tokens.nameHint")), field(t("tokens.ends"), ends), h("fieldset", {}, h("legend", {}, t("tokens.scopes")), boxes));
}

function showOnce(made) {
  const example = `curl -H 'Authorization: Bearer ${made.token}' ${serverUrl()}/api/devices`;
  open(t("tokens.madeTitle", { name: made.name }), (dialog) => {
    const close = button(t("tokens.kept"), { kind: "primary", on: { click: () => dialog.close() } });
    return h(
      "div",
      {},
      h("p", {}, t("tokens.once")),
      copyable(made.token, { label: t("tokens.text") }),
      h("p", { class: "quiet" }, t("tokens.example")),
      copyable(example, { label: t("tokens.example") }),
      h("div", { class: "buttons" }, close),
    );
  });
}

function stateOf(token) {
  if (token.revoked_at) return ["revoked", "quiet"];
  if (token.expires_at && Date.parse(token.expires_at) <= Date.now()) return ["expired", "quiet"];
  return ["active", "good"];
}

function row(token, reload) {
  const [state, tone] = stateOf(token);
  const revoke = state === "active" && button(t("tokens.revoke"), { kind: "danger-quiet", "aria-label": t("tokens.revokeThis", { name: token.name }), on: { click: () => ask(token, reload) } });
  return h(
    "li",
    {},
    h(
      "div",
      { class: "row-main" },
      h("div", { class: "row-head" }, h("strong", {}, token.name), chip(t(`tokens.state.${state}`), tone)),
      h("ul", { class: "tags", "aria-label": t("tokens.scopes") }, token.scopes.map((scope) => h("li", {}, scope))),
      facts(
        [
          [t("tokens.begins"), h("code", {}, `${token.token_prefix}…`)],
          [t("tokens.made"), ago(token.created_at)],
          [t("tokens.used"), token.last_used_at ? ago(token.last_used_at) : t("tokens.neverUsed")],
          [t("tokens.expires"), token.expires_at ? day(token.expires_at) : t("tokens.never")],
        ],
        "facts inline",
      ),
    ),
    revoke,
  );
}

function ask(token, reload) {
  confirm({
    title: t("tokens.revokeTitle", { name: token.name }),
    sentences: [t("tokens.revokeText")],
    doing: t("tokens.revoke"),
    act: async () => {
      await remove(`api/auth/tokens/${token.id}`);
      announce(t("tokens.revoked"));
      await reload();
    },
  });
}

function nothingYet(make) {
  return empty(
    t("tokens.emptyTitle"),
    t("tokens.emptyText"),
    h("p", {}, button(t("tokens.new"), { kind: "primary", on: { click: make } })),
    h("p", { class: "quiet" }, t("tokens.emptyCommand")),
    h("pre", { tabindex: "0", role: "region", "aria-label": t("tokens.emptyCommand") }, h("code", {}, `curl -H 'Authorization: Bearer vAp_…' ${serverUrl()}/api/devices`)),
  );
}
