// The accelerators of a device, each with what runs on it and the model that is on its way there.

import { get } from "../api.js";
import { h, icon, replace } from "../dom.js";
import { askWhich } from "../load_dialog.js";
import { isOver, LoadView } from "../load_view.js";
import { button, facts } from "../parts.js";
import { acceleratorChip } from "../status.js";
import { t } from "../text.js";

const AWAITED = ["flashing", "pushing", "queued"]; // what comes first is followed; the others wait for it

export class Accelerators {
  constructor(context) {
    this.context = context;
    this.element = h("div", {});
    this.views = new Map();
    this.text = null;
  }

  /** Draws them; loads are asked for, for others may have begun some. */
  async show(device) {
    this.device = device;
    const text = JSON.stringify([device.accelerators, device.tunnel_online]);
    if (text !== this.text) this.draw();
    this.text = text;
    try {
      this.showLoads(await get(`api/devices/${device.id}/loads`, this.context.signal));
    } catch {
      // The page's own question says what is wrong.
    }
  }

  draw() {
    const { accelerators } = this.device;
    this.slots = new Map(accelerators.map((one) => [one.id, h("div", { class: "slot" })]));
    for (const [id, view] of this.views) this.slots.get(id)?.append(view.element, view.stays);
    const list = h("ul", { class: "accelerators" }, accelerators.map((one) => this.row(one)));
    replace(this.element, accelerators.length ? list : h("p", { class: "quiet" }, t("device.noAccelerators")));
  }

  row(one) {
    const name = one.name || one.chip;
    const load = button(t("load.here"), { kind: "small", "aria-label": t("load.titleOn", { name }), on: { click: () => this.choose(one) } });
    return h(
      "li",
      {},
      h("div", { class: "row-head" }, icon("chip"), h("strong", {}, name), acceleratorChip(one.status)),
      facts([[t("device.chip"), one.chip], [t("device.firmware"), one.firmware_version], [t("device.port"), one.port], [t("device.model"), one.model]], "facts inline"),
      this.slots.get(one.id),
      this.device.tunnel_online ? h("div", { class: "buttons" }, load) : null,
    );
  }

  choose(accelerator) {
    askWhich(this.context, this.device, accelerator, (load) => this.showLoads([load]));
  }

  showLoads(loads) {
    // The last one of each; the one before it may be what is still there.
    for (const load of [...loads].sort((one, other) => one.created_at.localeCompare(other.created_at))) this.showLoad(load);
    for (const [id, view] of this.views) {
      const other = loads.find((one) => one.current && one.accelerator === id && one.id !== view.load.id);
      replace(view.stays, other ? t("load.stays", { name: other.model_name, version: other.model_version }) : null);
    }
    this.followOne();
  }

  showLoad(load) {
    const before = this.views.get(load.accelerator);
    if (before?.load.id === load.id) {
      // What came as an event is at least as new, unless nobody listened.
      if (before.source === null) before.show(load);
      return;
    }
    if (before && before.load.created_at > load.created_at) return;
    before?.unfollow();
    const view = new LoadView(load, this.context.signal, () => this.show(this.device), false);
    view.stays = h("p", { class: "small quiet" });
    this.views.set(load.accelerator, view);
    const slot = this.slots.get(load.accelerator);
    if (slot) replace(slot, view.element, view.stays);
  }

  /** A device gets one at a time, and a browser has few connections. */
  followOne() {
    const going = [...this.views.values()].filter((view) => !isOver(view.load));
    going.sort((one, other) => AWAITED.indexOf(one.load.state) - AWAITED.indexOf(other.load.state));
    for (const view of going.slice(1)) view.unfollow();
    if (!this.context.signal.aborted) going[0]?.follow();
  }
}
