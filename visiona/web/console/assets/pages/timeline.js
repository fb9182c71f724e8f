// What happened to a device, the newest first, each end of a connection with its cause.

import { get } from "../api.js";
import { h, replace } from "../dom.js";
import { ago, button, problem } from "../parts.js";
import { causeInWords } from "../status.js";
import { has, t } from "../text.js";

const PAGE = 15;
const SETTLED_MILLISECONDS = 6000; // it writes about one device every five seconds at most
const TONES = { connected: "good", disconnected: "bad", alarm: "warn" };

export class Timeline {
  constructor(deviceId, signal) {
    this.path = `api/devices/${deviceId}/events`;
    this.signal = signal;
    this.list = h("ol", { class: "timeline" });
    this.foot = h("div", { class: "foot" });
    this.element = h("section", { class: "panel wide", "aria-labelledby": "timeline-title" }, h("h2", { id: "timeline-title" }, t("timeline.title")), this.list, this.foot);
  }

  /** Shows the newest page, and again a little later: the server writes down what happened after it has told it. */
  async load() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.signal.aborted || this.goesBack || this.show(null), SETTLED_MILLISECONDS);
    await this.show(null);
  }

  async show(cursor) {
    try {
      const query = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = await get(`${this.path}?limit=${PAGE}${query}`, this.signal);
      if (cursor === null) replace(this.list);
      this.goesBack = cursor !== null;
      this.list.append(...page.items.map(line));
      const more = button(t("timeline.older"), { on: { click: () => this.show(page.next_cursor) } });
      replace(this.foot, page.next_cursor ? more : null);
    } catch (error) {
      if (error.name !== "AbortError") replace(this.foot, problem(error, () => this.show(cursor)));
    }
  }
}

function line(event) {
  const word = has(`event.${event.kind}`) ? t(`event.${event.kind}`) : event.kind;
  const why = [event.cause && causeInWords(event.cause), event.detail].filter(Boolean).join(" · ");
  return h(
    "li",
    { class: TONES[event.kind] ?? "quiet" },
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("div", {}, h("strong", {}, word), why && h("p", { class: "quiet" }, why)),
    ago(event.at),
  );
}
