// One device: its camera, what is in it, what happened to it, and what can be done with it.

import { changeable, mayChange, workspaceName } from "../access.js";
import { get, patch, post } from "../api.js";
import { Camera } from "../camera.js";
import { Detections } from "../detections.js";
import { confirm, field, form } from "../dialogs.js";
import { h, icon, replace } from "../dom.js";
import { onLive } from "../live.js";
import { announce, button, facts, link, problem, waiting } from "../parts.js";
import { to } from "../routes.js";
import { because, statusChip } from "../status.js";
import { moment, t, tn } from "../text.js";
import { Accelerators } from "./device_accelerators.js";
import { askWhereTo } from "./device_move.js";
import { notFound } from "./not_found.js";
import { Timeline } from "./timeline.js";

export function device(context) {
  const { signal, id, title } = context;
  const page = h("div", {}, back(), waiting(2, "panel"));
  let parts = null;

  async function load() {
    try {
      const item = await get(`api/devices/${id}`, signal);
      title(item.name);
      if (parts === null) parts = build(item);
      parts.show(item);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 404) gone();
      else if (parts === null) replace(page, back(), problem(error, load));
    }
  }

  function gone() {
    parts?.over.abort();
    parts = null; // one that was moved comes back at once, to who sees it there too
    replace(page, notFound(context));
  }

  function build(first) {
    const over = new AbortController();
    signal.addEventListener("abort", () => over.abort());
    const made = new Parts(context, first, over, load);
    replace(page, back(), made.elements);
    return made;
  }

  onLive((kind, news) => {
    if (kind === "resync") load();
    else if (news.id !== id) return;
    else if (news.removed) gone();
    else load();
    if (kind === "device" && parts) announce(t(news.tunnel_online ? "devices.cameOnline" : "devices.wentOffline", { name: parts.item.name }));
  }, signal);
  load();
  return page;
}

const back = () => link(to.devices, { class: "back" }, icon("back"), t("nav.devices"));

class Parts {
  constructor(context, first, over, reload) {
    this.context = context;
    this.over = over;
    this.reload = reload;
    this.item = first;
    this.name = h("h1", { tabindex: "-1" });
    this.status = h("div", { class: "status-line" });
    this.tags = h("ul", { class: "tags", "aria-label": t("device.tags") });
    this.accelerators = new Accelerators({ ...context, signal: over.signal });
    this.about = h("div", {});
    const detections = new Detections(first.id);
    this.camera = new Camera(first, over.signal, detections);
    this.timeline = new Timeline(first.id, over.signal);
    const mine = mayChange(context.me, first.workspace_id);
    const move = button(t("device.move"), { on: { click: () => askWhereTo({ ...context, path: to.device(first.id) }, this.item, this.over) } });
    const edit = button(t("device.edit"), { sign: "edit", on: { click: () => this.edit() } });
    const unpair = button(t("device.unpair"), { kind: "danger-quiet", sign: "unpair", on: { click: () => this.unpair() } });
    this.camera.element.append(detections.words);
    this.elements = [
      h("div", { class: "heading" }, this.name, mine && h("div", { class: "actions" }, edit, changeable(context.me).length > 1 && move, unpair)),
      this.status,
      this.tags,
      h(
        "div",
        { class: "device-page" },
        this.camera.element,
        h("div", { class: "beside" }, panel("accelerators", t("device.accelerators"), this.accelerators.element), panel("about", t("device.about"), this.about)),
        this.timeline.element,
      ),
    ];
  }

  show(item) {
    const news = JSON.stringify([item.tunnel_online, item.offline_cause, item.name]);
    if (this.news !== news) this.timeline.load();
    this.news = news;
    this.item = item;
    replace(this.name, item.name);
    replace(this.status, statusChip(item), h("p", { class: "because" }, because(item)));
    replace(this.tags, item.tags.map((tag) => h("li", {}, tag)));
    this.tags.hidden = item.tags.length === 0;
    this.accelerators.show(item);
    replace(this.about, aboutList(item, this.context.me));
    this.camera.setOnline(item.tunnel_online);
  }

  edit() {
    const { item } = this;
    const name = h("input", { name: "name", type: "text", value: item.name, required: true, maxlength: "120", autocomplete: "off" });
    const tags = h("input", { name: "tags", type: "text", value: item.tags.join(", "), autocomplete: "off" });
    form({
      title: t("device.editTitle"),
      fields: () => h("div", {}, field(t("device.name"), name), field(t("device.tags"), tags, t("device.tagsHint"))),
      doing: t("dialog.save"),
      act: async (data) => {
        const words = data.get("tags").split(/[,，、]/).map((tag) => tag.trim()).filter(Boolean);
        await patch(`api/devices/${item.id}`, { name: data.get("name"), tags: [...new Set(words)] });
        announce(t("device.saved"));
        await this.reload();
      },
    });
  }

  unpair() {
    const { item } = this;
    confirm({
      title: t("device.unpairTitle", { name: item.name }),
      sentences: [t(item.tunnel_online ? "device.unpairOnline" : "device.unpairOffline"), t("device.unpairTokens"), t("device.unpairAgain")],
      doing: t("device.unpair"),
      act: async () => {
        // Our own pictures and sockets first: they would end with an error.
        this.over.abort();
        const ended = await post(`api/devices/${item.id}/unpair`);
        this.context.go(to.devices);
        announce(tn("device.unpaired", ended.tokens_revoked, { name: item.name }));
      },
    });
  }
}

function panel(id, title, ...content) {
  return h("section", { class: "panel", "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), content);
}

function aboutList(item, me) {
  return facts([
    [t("workspace.one"), me.workspaces.length > 1 ? workspaceName(me, item.workspace_id) : null],
    [t("device.type"), item.device_type],
    [t("device.serial"), item.serial_number],
    [t("device.agent"), item.agent_version],
    [t("device.paired"), moment(item.created_at)],
    [t("device.lastConnected"), item.last_connected_at && moment(item.last_connected_at)],
    [t("device.id"), h("code", {}, item.id)],
  ]);
}
