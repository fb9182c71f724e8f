// Pairing tokens, used and unused, and what they became: the credentials by which devices connect.

import { get, remove } from "../api.js";
import { confirm } from "../dialogs.js";
import { h, replace } from "../dom.js";
import { onLive } from "../live.js";
import { ago, announce, button, chip, empty, facts, heading, link, problem, waiting } from "../parts.js";
import { to } from "../routes.js";
import { moment, t } from "../text.js";

const REDRAW_MILLISECONDS = 15000; // what expires does so without an event

export function pairing({ signal, title }) {
  title(t("nav.pairing"));
  const body = h("div", {}, waiting(3, "row"));
  let draw = () => {};

  async function load() {
    try {
      const [tokens, devices] = await Promise.all([get("api/pairing/tokens", signal), get("api/devices", signal)]);
      const names = new Map(devices.map((one) => [one.id, one.name]));
      draw = () => replace(body, tokens.length === 0 ? nothingYet() : groups(tokens, names, load));
      draw();
    } catch (error) {
      if (error.name !== "AbortError") replace(body, problem(error, load));
    }
  }

  // Nothing is asked for: an open page must not count as use of the session.
  const timer = setInterval(() => !body.contains(document.activeElement) && !document.querySelector("dialog") && draw(), REDRAW_MILLISECONDS);
  signal.addEventListener("abort", () => clearInterval(timer));
  onLive((kind, facts) => (["resync", "redeemed"].includes(kind) || facts.removed) && load(), signal);
  load();
  return h("div", {}, heading(t("nav.pairing"), link(to.addDevice, { class: "button primary" }, t("devices.add"))), h("p", { class: "lead" }, t("pairing.intro")), body);
}

function groups(tokens, names, reload) {
  return ["pairing", "session"].map((kind) => {
    const found = tokens.filter((token) => token.kind === kind);
    if (found.length === 0) return null;
    return h(
      "section",
      { class: "group", "aria-labelledby": `group-${kind}` },
      h("h2", { id: `group-${kind}` }, t(`pairing.${kind}`)),
      h("p", { class: "quiet small" }, t(`pairing.${kind}Hint`)),
      h("ul", { class: "rows" }, found.map((token) => row(token, names, reload))),
    );
  });
}

function stateOf(token) {
  if (token.revoked_at) return "revoked";
  if (token.used_at) return "used";
  if (token.expires_at && Date.parse(token.expires_at) <= Date.now()) return "expired";
  return token.kind === "pairing" ? "waits" : "active";
}

const TONES = { waits: "warn", active: "good", used: "quiet", expired: "quiet", revoked: "quiet" };

function row(token, names, reload) {
  const state = stateOf(token);
  const name = names.get(token.device_id);
  const isGood = state === "waits" || state === "active";
  const revoke = isGood && button(t("pairing.revoke"), { kind: "danger-quiet", "aria-label": t("pairing.revokeThis", { prefix: token.token_prefix }), on: { click: () => ask(token, name, reload) } });
  return h(
    "li",
    {},
    h(
      "div",
      { class: "row-main" },
      h("div", { class: "row-head" }, h("code", {}, `${token.token_prefix}…`), chip(t(`pairing.state.${state}`), TONES[state])),
      facts(
        [
          [t("pairing.name"), token.name],
          [t("pairing.device"), name && link(to.device(token.device_id), {}, name)],
          [t("pairing.made"), ago(token.created_at)],
          [t("pairing.usedAt"), token.used_at && ago(token.used_at)],
          [t("pairing.revokedAt"), token.revoked_at && ago(token.revoked_at)],
          [t("pairing.expires"), isGood && token.expires_at && moment(token.expires_at)],
        ].map(([term, value]) => [term, value || null]),
        "facts inline",
      ),
    ),
    revoke,
  );
}

function ask(token, name, reload) {
  const key = token.kind === "session" ? "pairing.revokeSession" : "pairing.revokePairing";
  confirm({
    title: t("pairing.revokeTitle", { prefix: token.token_prefix }),
    sentences: [t(key, { name: name ?? t("pairing.someDevice") })],
    doing: t("pairing.revoke"),
    act: async () => {
      await remove(`api/pairing/tokens/${token.id}`);
      announce(t("pairing.revoked"));
      await reload();
    },
  });
}

function nothingYet() {
  return empty(t("pairing.emptyTitle"), t("pairing.emptyText"), h("p", {}, link(to.addDevice, { class: "button primary" }, t("devices.add"))), h("pre", { tabindex: "0", role: "region", "aria-label": t("add.line") }, h("code", {}, "visiona agent pair TOKEN --relay URL --target http://127.0.0.1:8080")));
}
