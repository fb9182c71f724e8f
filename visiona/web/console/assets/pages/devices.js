// All devices, each with what is true of it now.

import { get } from "../api.js";
import { h, replace } from "../dom.js";
import { onLive } from "../live.js";
import { announce, empty, heading, link, problem, waiting } from "../parts.js";
import { to } from "../routes.js";
import { because, statusChip } from "../status.js";
import { pairingLine } from "../line.js";
import { t, tn } from "../text.js";

const SEARCH_FROM = 9; // fewer are seen at a glance

export function devices({ signal, title, workspace }) {
  title(t("nav.devices"));
  const known = new Map();
  const cards = new Map();
  const list = h("ul", { class: "cards" });
  const summary = h("p", { class: "summary quiet" });
  const search = searchField(() => filter());
  const body = h("div", {}, waiting(3, "card"));
  const head = heading(t("nav.devices"), link(to.addDevice, { class: "button primary" }, t("devices.add")));

  const isShown = (item) => workspace === null || item.workspace_id === workspace;

  async function load() {
    try {
      const found = await get("api/devices", signal);
      known.clear();
      for (const item of found.filter(isShown)) known.set(item.id, item);
      draw();
    } catch (error) {
      if (error.name !== "AbortError" && known.size === 0) replace(body, problem(error, load));
    }
  }

  async function reload(id) {
    try {
      const item = await get(`api/devices/${id}`, signal);
      if (!isShown(item)) return forget(id);
      known.set(id, item);
      draw();
    } catch (error) {
      if (error.status === 404) forget(id);
    }
  }

  function forget(id) {
    if (known.delete(id)) draw();
  }

  function draw() {
    if (known.size === 0) {
      cards.clear();
      replace(body, nothingYet());
      return;
    }
    for (const id of cards.keys()) if (!known.has(id)) cards.delete(id);
    for (const item of known.values()) {
      const text = JSON.stringify({ ...item, last_seen_at: item.tunnel_online ? null : item.last_seen_at });
      if (cards.get(item.id)?.text !== text) cards.set(item.id, { text, element: card(item) });
    }
    const focused = document.activeElement?.closest("li[data-device]")?.dataset.device;
    replace(list, [...known.keys()].map((id) => cards.get(id).element));
    if (focused) list.querySelector(`li[data-device="${focused}"] a`)?.focus();
    replace(summary, tn("devices.count", known.size), " · ", tn("devices.online", onlineCount()));
    search.hidden = known.size < SEARCH_FROM;
    if (list.parentNode !== body) replace(body, search, summary, list);
    filter();
  }

  const onlineCount = () => [...known.values()].filter((item) => item.tunnel_online).length;

  function filter() {
    const wanted = search.querySelector("input").value.trim().toLowerCase();
    for (const item of known.values()) {
      const text = [item.name, item.serial_number, ...item.tags].join(" ").toLowerCase();
      cards.get(item.id).element.hidden = !text.includes(wanted);
    }
  }

  onLive((kind, facts) => {
    if (kind === "resync") load();
    else if (kind === "redeemed") reload(facts.device_id);
    else if (facts.removed) forget(facts.id);
    else if (kind === "device" && known.has(facts.id)) {
      known.set(facts.id, withNews(known.get(facts.id), facts));
      draw();
      announce(t(facts.tunnel_online ? "devices.cameOnline" : "devices.wentOffline", { name: known.get(facts.id).name }));
    } else if (["device", "answered", "changed"].includes(kind)) reload(facts.id);
  }, signal);
  load();
  return h("div", {}, head, body);
}

function withNews(item, facts) {
  const next = { ...item, ...facts };
  if (facts.tunnel_online) delete next.offline_cause;
  return next;
}

function card(item) {
  return h(
    "li",
    { class: "card device", "data-device": item.id },
    h("div", { class: "card-head" }, h("h2", {}, link(to.device(item.id), { class: "cover" }, item.name)), statusChip(item)),
    h("p", { class: "because" }, because(item)),
    accelerators(item),
    item.tags.length > 0 && h("ul", { class: "tags", "aria-label": t("device.tags") }, item.tags.map((tag) => h("li", {}, tag))),
  );
}

function accelerators(item) {
  const chips = item.accelerators.map((one) => one.chip);
  const counted = [...new Set(chips)].map((name) => {
    const count = chips.filter((one) => one === name).length;
    return count > 1 ? `${count} × ${name}` : name;
  });
  return h("p", { class: "small quiet" }, [item.device_type, ...counted].join(" · "));
}

function nothingYet() {
  return empty(
    t("devices.emptyTitle"),
    t("devices.emptyText"),
    h("p", {}, link(to.addDevice, { class: "button primary" }, t("devices.add"))),
    h("p", { class: "quiet" }, t("devices.emptyCommand")),
    h("pre", { tabindex: "0", role: "region", "aria-label": t("add.line") }, h("code", {}, pairingLine("TOKEN", "http://127.0.0.1:8080"))),
  );
}

function searchField(changed) {
  const input = h("input", { type: "search", placeholder: t("devices.search"), "aria-label": t("devices.search") });
  input.addEventListener("input", changed);
  return h("div", { class: "search", hidden: true }, input);
}
