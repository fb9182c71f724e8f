// Joining a workspace one was invited to. The link's token stands behind its `#`, where no server sees it; it is taken out
// of the address at once, and is sent only when the person says so.

import { Refused, post } from "../api.js";
import { button, heading, link } from "../parts.js";
import { h, replace } from "../dom.js";
import { t } from "../text.js";

let token = "";

export function invitation({ signal, title, me }) {
  title(t("invitation.title"));
  if (location.hash.length > 1) {
    token = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
  }
  const said = h("p", { role: "status" });
  const join = button(t("invitation.join"), { kind: "primary", on: { click: accept } });
  const body = h("div", { class: "stack" });

  async function accept() {
    join.disabled = true;
    try {
      const joined = await post("api/invitations/accept", { token }, signal);
      token = "";
      replace(body, h("p", { role: "status" }, t("invitation.joined", { name: joined.name })), devices());
    } catch (error) {
      if (error.name === "AbortError") return;
      join.disabled = false;
      said.textContent = error instanceof Refused ? inWords(error) : String(error);
    }
  }

  if (token) replace(body, h("p", {}, t("invitation.text", { email: me.email })), h("p", {}, join), said);
  else replace(body, h("p", {}, t("invitation.again")), devices());
  return h("div", { class: "stack" }, heading(t("invitation.title")), body);
}

const devices = () => h("p", {}, link("", { class: "button" }, t("notFound.back")));

/** What these mean here is more than they mean anywhere. */
function inWords(error) {
  const here = { FORBIDDEN: "invitation.otherAddress", CONFLICT: "invitation.conflict", GONE: "invitation.gone" };
  return error.code in here ? t(here[error.code]) : error.words;
}
