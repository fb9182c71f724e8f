// Adding a device: a one-time token as a line to paste, and what becomes of it, step by step.

import { changeable, workspaceName } from "../access.js";
import { get, post, remove } from "../api.js";
import { field } from "../dialogs.js";
import { h, icon, replace, setText } from "../dom.js";
import { isThisMachineOnly, pairingLine, targetOrNull } from "../line.js";
import { onLive } from "../live.js";
import { announce, button, copyable, heading, link, problem } from "../parts.js";
import { throughTunnel, to, url } from "../routes.js";
import { clock, pieces, t } from "../text.js";

const STEPS = ["waiting", "redeemed", "connected", "answered"];
const PROBE_MILLISECONDS = 3000;
const HINT_MILLISECONDS = 20000;

export function addDevice({ signal, title, me, workspace }) {
  title(t("add.title"));
  const body = h("div", { class: "add" });
  const begin = () => replace(body, askFirst((made, target) => replace(body, offer(made, target, begin, signal)), signal, workspaceChoice(me, workspace)));
  begin();
  return h("div", {}, link(to.devices, { class: "back" }, icon("back"), t("nav.devices")), heading(t("add.title")), body);
}

/** In which workspace it shall be; nothing where there is no choice. */
function workspaceChoice(me, chosen) {
  const mine = changeable(me);
  if (mine.length < 2) return null;
  return h("select", { name: "workspace" }, mine.map((one) => h("option", { value: one.id, selected: one.id === chosen }, workspaceName(me, one.id))));
}

function askFirst(done, signal, workspace) {
  const name = h("input", { name: "name", type: "text", maxlength: "120", autocomplete: "off" });
  const target = h("input", { name: "target", type: "text", inputmode: "url", required: true, value: "http://127.0.0.1:8080", spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
  const trouble = h("div", {});
  const submit = button(t("add.make"), { kind: "primary", type: "submit" });
  const form = h(
    "form",
    { class: "panel narrow", novalidate: true },
    h("p", {}, t("add.intro")),
    field(t("add.name"), name, t("add.nameHint")),
    field(t("add.target"), target, t("add.targetHint")),
    workspace && field(t("workspace.one"), workspace),
    trouble,
    h("div", { class: "buttons" }, submit),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const address = targetOrNull(target.value);
    target.setAttribute("aria-invalid", String(address === null));
    if (address === null) {
      replace(trouble, h("p", { class: "notice bad", role: "alert" }, t("add.targetWrong")));
      target.focus();
      return;
    }
    submit.disabled = true;
    try {
      const called = name.value.trim();
      done(await post("api/pairing/token", { name: called || undefined, workspace_id: workspace?.value }, signal), address);
    } catch (error) {
      if (error.name !== "AbortError") replace(trouble, problem(error));
      submit.disabled = false;
    }
  });
  return form;
}

/** The line, its QR code, how long it is good, and the steps. */
function offer(made, target, again, signal) {
  const line = pairingLine(made.token, target);
  const picture = h("img", { class: "qr", alt: t("add.qr"), width: "220", height: "220" });
  drawCode(picture, line, signal);
  const left = h("span", { class: "time-left", role: "timer" });
  const bar = h("progress", { max: "900", "aria-label": t("add.timeLeft") });
  const hint = h("p", { class: "quiet" }, t("add.pasteHint"));
  const card = h("section", { class: "panel paste" });
  const steps = stepList();
  const watch = new Watch(made, signal, (step, device) => advance(step, device));
  const cancel = button(t("add.cancel"), { kind: "quiet" });
  cancel.addEventListener("click", async () => {
    watch.end();
    await remove(`api/pairing/tokens/${made.id}`).catch(() => {});
    again();
  });
  const local = isThisMachineOnly() ? h("p", { class: "notice warn" }, t("add.loopback")) : null;
  replace(
    card,
    h("h2", {}, t("add.paste")),
    hint,
    copyable(line, { label: t("add.line") }),
    local,
    h("div", { class: "validity" }, bar, h("p", {}, pieces("add.validFor", { time: left })), cancel),
  );
  const headline = h("h2", {}, t("add.progress"));
  const progress = h("section", { class: "panel progress", "data-step": "waiting" }, headline, steps.element);
  const outcome = h("div", { class: "outcome", "aria-live": "polite" });
  progress.append(outcome);
  countDown(made, left, bar, signal, () => watch.step === 0 && watch.end("expired"));

  function advance(step, device) {
    progress.dataset.step = step;
    if (step === "expired" || step === "revoked") {
      steps.stop();
      putAway();
      replace(outcome, h("p", { class: "notice bad" }, t(`add.${step}`)), button(t("add.again"), { kind: "primary", on: { click: again } }));
      return;
    }
    steps.reach(STEPS.indexOf(step));
    announce(t(`add.step.${step}`));
    putAway();
    if (step === "hint") replace(outcome, h("p", { class: "notice warn" }, pieces("add.notConnected", { command: h("code", {}, "visiona agent run") })));
    if (step === "connected") replace(outcome);
    if (step === "answered") {
      setText(headline, t("add.arrived", { name: device.name }));
      replace(outcome, arrived(device, again));
    }
  }

  // A token that is spent is of no use to anybody; it keeps its place, so that nothing jumps.
  function putAway() {
    for (const part of [card, code]) part.inert = true;
    setText(hint, t("add.spent"));
  }

  const code = h("div", { class: "panel qr-panel" }, picture, h("p", { class: "small quiet" }, t("add.qrHint")));
  return h("div", { class: "offer" }, h("div", { class: "offer-main" }, card, progress), code);
}

async function drawCode(picture, line, signal) {
  try {
    const { svg } = await post("api/pairing/qr", { text: line }, signal);
    picture.src = `data:image/svg+xml;base64,${btoa(svg)}`;
  } catch {
    picture.closest(".qr-panel")?.remove();
  }
}

function countDown(made, left, bar, signal, expired) {
  const ends = Date.parse(made.expires_at);
  // The server's clock against ours: by ours a fresh token could be over already.
  const began = performance.now();
  const whole = Math.min(900, Math.max(0, (ends - Date.now()) / 1000)) || 900;
  const tick = () => {
    const seconds = whole - (performance.now() - began) / 1000;
    setText(left, clock(seconds));
    bar.value = Math.max(0, seconds);
    if (seconds <= 0) {
      clearInterval(timer);
      expired();
    }
  };
  const timer = setInterval(tick, 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
  tick();
}

function stepList() {
  const items = STEPS.slice(1).map((step) => {
    const sign = h("span", { class: "sign", "aria-hidden": "true" });
    const state = h("span", { class: "unseen" }, t("add.stepWaits"));
    return { sign, state, element: h("li", {}, sign, h("span", {}, t(`add.step.${step}`)), state) };
  });
  const reach = (count) => {
    items.forEach((item, index) => {
      const done = index < count;
      item.element.className = done ? "done" : index === count ? "next" : "";
      replace(item.sign, done && icon("check"));
      setText(item.state, t(done ? "add.stepDone" : "add.stepWaits"));
    });
  };
  const element = h("ol", { class: "steps" }, items.map((item) => item.element));
  reach(0);
  return { element, reach, stop: () => element.classList.add("stopped") };
}

function arrived(device, again) {
  const picture = h("img", { class: "first-picture", alt: t("camera.alt", { name: device.name }), width: "320", height: "240" });
  picture.addEventListener("error", () => picture.remove());
  picture.src = url(throughTunnel(device.id, "api/camera/snapshot"));
  return h(
    "div",
    { class: "arrived" },
    picture,
    h("div", {}, h("p", { class: "quiet" }, t("add.arrivedHint")), h("div", { class: "actions" }, link(to.device(device.id), { class: "button primary" }, t("add.open")), button(t("add.another"), { on: { click: again } }))),
  );
}

/** Follows one token from its making to the first answer; `told(step, device)` at each step, each step once. */
class Watch {
  constructor(made, signal, told) {
    this.made = made;
    this.told = told;
    this.step = 0;
    this.deviceId = null;
    this.over = new AbortController();
    signal.addEventListener("abort", () => this.over.abort());
    onLive((kind, facts) => this.heard(kind, facts), this.over.signal);
  }

  heard(kind, facts) {
    if (kind === "resync") this.ask();
    else if (kind === "redeemed" && facts.token_id === this.made.id) this.redeemed(facts.device_id);
    else if (kind === "device" && facts.id === this.deviceId && facts.tunnel_online) this.connected();
    else if (kind === "answered" && facts.id === this.deviceId) this.answered();
  }

  /** What may have happened while nobody listened. */
  async ask() {
    try {
      const token = (await get("api/pairing/tokens", this.over.signal)).find((one) => one.id === this.made.id);
      if (token?.revoked_at) this.end("revoked");
      else if (token?.device_id) await this.redeemed(token.device_id);
    } catch {
      // The next connection asks again.
    }
  }

  async redeemed(deviceId) {
    this.deviceId = deviceId;
    if (!this.reach(1)) return;
    setTimeout(() => this.step === 1 && !this.over.signal.aborted && this.told("hint"), HINT_MILLISECONDS);
    const device = await get(`api/devices/${deviceId}`, this.over.signal).catch(() => null);
    if (device?.tunnel_online) this.connected();
  }

  connected() {
    if (this.reach(2)) setTimeout(() => this.probe(), PROBE_MILLISECONDS);
  }

  /** The server asks a new device by itself; if we do not hear of it, we ask the device. */
  async probe() {
    if (this.step >= 3 || this.over.signal.aborted) return;
    const answer = await fetch(url(throughTunnel(this.deviceId, "api/system/info")), { signal: this.over.signal }).catch(() => null);
    if (answer && ![401, 403, 502, 503, 504].includes(answer.status)) this.answered();
    else setTimeout(() => this.probe(), PROBE_MILLISECONDS);
  }

  async answered() {
    if (this.step >= 3) return;
    this.reach(2);
    this.step = 3;
    const device = await get(`api/devices/${this.deviceId}`, this.over.signal).catch(() => null);
    if (device === null) return;
    this.told("answered", device);
    this.over.abort();
  }

  reach(step) {
    if (step <= this.step) return false;
    this.step = step;
    this.told(STEPS[step], null);
    return true;
  }

  end(why = null) {
    if (this.over.signal.aborted) return;
    this.over.abort();
    if (why) this.told(why, null);
  }
}
