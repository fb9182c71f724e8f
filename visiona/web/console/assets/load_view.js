// One load, as it goes on: what is loaded, how far it is, cancelling it, and why it failed.

import { get, remove } from "./api.js";
import { h, replace, setText } from "./dom.js";
import { announce, button, chip, problem } from "./parts.js";
import { url } from "./routes.js";
import { has, size, t } from "./text.js";

const STATES = ["queued", "pushing", "flashing", "active", "failed"];
const AGAIN_MILLISECONDS = 5000;
const TONES = { active: "good", failed: "bad", queued: "quiet" };

export const isOver = (load) => ["active", "failed"].includes(load.state);

export class LoadView {
  /** `ended(load)` is called when it is over. Unless `follows`, it shows what it is told. */
  constructor(load, signal, ended = () => {}, follows = true) {
    this.ended = ended;
    this.signal = signal;
    this.load = null;
    this.source = null;
    this.state = h("span", {});
    this.bar = h("progress", { "aria-label": t("load.progress", { name: load.model_name }) });
    this.words = h("p", { class: "small quiet" });
    this.trouble = h("div", {});
    this.cancel = button(t("dialog.cancel"), { kind: "quiet small", "aria-label": t("load.cancelThis", { name: load.model_name }), on: { click: () => this.stop() } });
    const head = h("div", { class: "row-head" }, h("strong", { dir: "auto" }, load.model_name), h("span", { class: "quiet", dir: "auto" }, load.model_version), this.state);
    this.element = h("div", { class: "load", "data-load": load.id }, head, this.bar, h("div", { class: "load-foot" }, this.words, this.cancel), this.trouble);
    signal.addEventListener("abort", () => this.unfollow());
    this.path = `api/devices/${encodeURIComponent(load.device_id)}/loads/${encodeURIComponent(load.id)}`;
    this.show(load);
    if (follows && !signal.aborted) this.follow();
  }

  /** Hears each change; a browser that loses the connection comes back by itself. */
  follow() {
    if (this.source !== null || isOver(this.load)) return;
    this.source = new EventSource(url(`${this.path}/events`));
    for (const state of STATES) this.source.addEventListener(state, (event) => this.show(JSON.parse(event.data)));
    this.source.addEventListener("error", () => this.source?.readyState === EventSource.CLOSED && this.askLater());
  }

  /** After a refusal a browser does not come back: the server is starting, or too many watch. */
  askLater() {
    this.unfollow();
    this.timer = setTimeout(async () => {
      const loads = await get(`api/devices/${encodeURIComponent(this.load.device_id)}/loads`, this.signal).catch((error) => error);
      if (this.signal.aborted || loads.status === 404) return;
      const mine = Array.isArray(loads) && loads.find((one) => one.id === this.load.id);
      if (mine) this.show(mine);
      this.follow();
    }, AGAIN_MILLISECONDS);
  }

  unfollow() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  show(load) {
    const before = this.load?.state;
    this.load = load;
    // One that was loaded is not there for ever: another came after it, or the unit forgot it.
    const tone = load.state === "active" && load.current === false ? "quiet" : (TONES[load.state] ?? "warn");
    replace(this.state, chip(t(`load.state.${load.state}`), tone));
    this.showProgress(load);
    this.cancel.hidden = !["queued", "pushing"].includes(load.state);
    if (load.state === "failed" && before !== "failed") replace(this.trouble, failure(load));
    if (before !== undefined && before !== load.state) announce(t(`load.said.${load.state}`, { name: load.model_name }));
    if (!isOver(load)) return;
    this.unfollow();
    if (before !== undefined && before !== load.state) this.ended(load);
  }

  showProgress(load) {
    this.bar.hidden = this.words.hidden = isOver(load);
    const percent = load.state === "flashing" ? load.progress : (100 * load.sent_bytes) / Math.max(1, load.total_bytes);
    this.bar.max = 100;
    // Without a value it says that it does not know how long.
    if (load.state === "queued" || percent === undefined) this.bar.removeAttribute("value");
    else this.bar.value = percent;
    const values = { done: size(load.sent_bytes), whole: size(load.total_bytes), percent: load.progress ?? "" };
    const key = load.waiting_for_device ? "away" : load.state === "flashing" && load.progress === undefined ? "writing" : load.state;
    setText(this.words, isOver(load) ? "" : t(`load.now.${key}`, values));
  }

  async stop() {
    this.cancel.disabled = true;
    try {
      await remove(this.path);
    } catch (error) {
      // Over already, or being written: what it is now is on its way here.
      if (error.status !== 409) replace(this.trouble, problem(error));
    }
    this.cancel.disabled = false;
  }
}

function failure(load) {
  const words = has(`fault.${load.code}`) ? t(`fault.${load.code}`) : load.message;
  const own = load.code === "CANCELLED" ? null : h("p", { class: "small", lang: "en" }, load.message);
  return h("div", { class: `notice ${load.code === "CANCELLED" ? "" : "bad"}`.trim() }, h("p", {}, words), own);
}
