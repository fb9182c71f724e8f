// A device's status in a word, a colour and a reason. The server's word is final; nothing is guessed here.

import { h } from "./dom.js";
import { ago, chip } from "./parts.js";
import { has, pieces, t } from "./text.js";

/** The chip of a device. */
export function statusChip(device) {
  if (device.tunnel_online) return chip(t("status.online"), "good");
  if (device.remote_status === "unknown") return chip(t("status.never"), "quiet");
  return chip(t("status.offline"), "bad");
}

/** Why it is so, and since when, as a sentence. */
export function because(device) {
  if (device.tunnel_online) return pieces("status.onlineSince", { ago: ago(device.last_connected_at) });
  if (device.remote_status === "unknown") {
    return pieces("status.neverWhy", { command: h("code", {}, "visiona agent run") });
  }
  const cause = device.offline_cause ? causeInWords(device.offline_cause) : t("cause.unknown");
  if (!device.last_seen_at) return [cause];
  return pieces("status.offlineWhy", { cause, ago: ago(device.last_seen_at) });
}

/** A recorded cause for a person; one that this release does not know is shown as it is. */
export function causeInWords(cause) {
  return has(`cause.${cause}`) ? t(`cause.${cause}`) : cause;
}

const TONES = { connected: "good", inferencing: "good", flashing: "warn", error: "bad" };

/** The chip of an accelerator. */
export function acceleratorChip(status) {
  const word = has(`accelerator.${status}`) ? t(`accelerator.${status}`) : status;
  return chip(word, TONES[status] ?? "quiet");
}
