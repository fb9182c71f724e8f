// Where the person is signed in, and ending it there.

import { get, remove } from "../api.js";
import { confirm } from "../dialogs.js";
import { h, replace } from "../dom.js";
import { ago, announce, button, chip, facts, heading, problem, waiting } from "../parts.js";
import { moment, t, tn } from "../text.js";

export function sessions({ signal, title }) {
  title(t("nav.sessions"));
  const body = h("div", {}, waiting(2, "row"));
  const others = button(t("sessions.endOthers"), { kind: "danger-quiet" });
  others.hidden = true;
  let found = [];

  async function load() {
    try {
      ({ items: found } = await get("api/auth/sessions", signal));
      found.sort((one, other) => Number(other.current) - Number(one.current));
      others.hidden = !found.some((session) => !session.current);
      replace(body, h("ul", { class: "rows" }, found.map((session) => row(session, load))));
    } catch (error) {
      if (error.name !== "AbortError") replace(body, problem(error, load));
    }
  }

  others.addEventListener("click", () => {
    const ids = found.filter((session) => !session.current).map((session) => session.id);
    confirm({
      title: t("sessions.endOthers"),
      sentences: [tn("sessions.endOthersText", ids.length)],
      doing: t("sessions.endOthers"),
      act: async () => {
        await Promise.all(ids.map(end));
        announce(t("sessions.ended"));
        await load();
      },
    });
  });
  load();
  return h("div", {}, heading(t("nav.sessions"), others), h("p", { class: "lead" }, t("sessions.intro")), body);
}

/** Ends one; that it has ended by itself is as good. */
async function end(id) {
  await remove(`api/auth/sessions/${id}`).catch((error) => {
    if (error.status !== 404) throw error;
  });
}

function row(session, reload) {
  const name = browserName(session.user_agent);
  const stop = button(t("sessions.end"), { kind: "danger-quiet", "aria-label": t("sessions.endThis", { name }), on: { click: () => ask(session, name, reload) } });
  return h(
    "li",
    {},
    h(
      "div",
      { class: "row-main" },
      h("div", { class: "row-head" }, h("strong", { title: session.user_agent }, name), session.current && chip(t("sessions.current"), "good")),
      facts(
        [
          [t("sessions.address"), session.address],
          [t("sessions.since"), ago(session.created_at)],
          [t("sessions.seen"), ago(session.last_seen_at)],
          [t("sessions.expires"), moment(session.expires_at)],
        ],
        "facts inline",
      ),
    ),
    session.current ? null : stop,
  );
}

const BROWSERS = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]];
const SYSTEMS = [["Android", "Android"], ["iPhone", "iOS"], ["iPad", "iPadOS"], ["Windows", "Windows"], ["Mac OS X", "macOS"], ["CrOS", "ChromeOS"], ["Linux", "Linux"]];

/** A guess that people recognise; the whole text is in the title. */
function browserName(agent) {
  const found = (table) => table.find(([sign]) => agent.includes(sign))?.[1];
  return [found(BROWSERS), found(SYSTEMS)].filter(Boolean).join(" · ") || agent.slice(0, 60) || t("sessions.unknown");
}

function ask(session, name, reload) {
  confirm({
    title: t("sessions.endTitle", { name }),
    sentences: [t("sessions.endText")],
    doing: t("sessions.end"),
    act: async () => {
      await end(session.id);
      announce(t("sessions.ended"));
      await reload();
    },
  });
}
