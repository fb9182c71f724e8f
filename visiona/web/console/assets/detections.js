// What the accelerators see, drawn over the camera: boxes on the picture, and in words below it.

import { h, replace, s } from "./dom.js";
import { socketUrl, throughTunnel } from "./routes.js";
import { t } from "./text.js";

const WORDS_MILLISECONDS = 1000;
const AGAIN_MILLISECONDS = 10000;
const MAX_BOXES = 100; // of one picture; what a broken model says beyond is not drawn

export class Detections {
  constructor(deviceId) {
    this.deviceId = deviceId;
    this.element = s("svg", { class: "boxes", "aria-hidden": "true", focusable: "false", preserveAspectRatio: "xMidYMid meet" });
    this.words = h("p", { class: "seen quiet", hidden: true });
    this.socket = null;
    this.drawn = false;
    this.saidAt = 0;
  }

  start(width, height) {
    this.element.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.unit = Math.max(width, height) / 100;
    this.words.hidden = false;
    if (this.socket === null) this.connect();
  }

  stop() {
    clearTimeout(this.again);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    replace(this.element);
    replace(this.words);
    this.words.hidden = true;
  }

  connect() {
    const socket = new WebSocket(socketUrl(throughTunnel(this.deviceId, "ws/detections")));
    let opened = false;
    this.socket = socket;
    socket.addEventListener("open", () => (opened = true));
    socket.addEventListener("message", (event) => this.heard(socket, event.data));
    socket.addEventListener("close", () => {
      if (this.socket !== socket) return;
      replace(this.element);
      replace(this.words);
      // Who never had any is not asked again and again.
      if (opened) this.again = setTimeout(() => this.connect(), AGAIN_MILLISECONDS);
    });
  }

  heard(socket, data) {
    if (this.socket !== socket || typeof data !== "string") return;
    const objects = objectsIn(data);
    if (objects === null) return;
    this.latest = objects;
    if (this.drawn) return;
    this.drawn = true;
    requestAnimationFrame(() => {
      this.drawn = false;
      if (this.socket === socket) this.draw();
    });
  }

  draw() {
    replace(this.element, this.latest.map((one) => this.box(one)));
    if (performance.now() - this.saidAt < WORDS_MILLISECONDS) return;
    this.saidAt = performance.now();
    const names = this.latest.map((one) => inWords(one)).join(", ");
    replace(this.words, names ? t("camera.seen", { names }) : t("camera.nothingSeen"));
  }

  box({ label, confidence, x, y, width, height }) {
    const text = inWords({ label, confidence });
    const size = this.unit * 2.6;
    return s(
      "g",
      {},
      s("rect", { class: "box", x, y, width, height, "stroke-width": this.unit * 0.5 }),
      s("text", { class: "box-label", x: x + this.unit * 0.4, y: Math.max(y - this.unit * 0.8, size), "font-size": size, "stroke-width": this.unit * 0.7 }, text),
    );
  }
}

function inWords({ label, confidence }) {
  return confidence === null ? label : `${label} ${Math.round(confidence * 100)} %`;
}

/** The objects of a message, each checked; null if it is no message of that kind. */
function objectsIn(data) {
  let said;
  try {
    said = JSON.parse(data);
  } catch {
    return null;
  }
  if (!Array.isArray(said?.objects)) return null;
  return said.objects.slice(0, MAX_BOXES).map(checked).filter(Boolean);
}

function checked(one) {
  const where = one?.boundingBox ?? {};
  const numbers = [where.x, where.y, where.width, where.height];
  if (!numbers.every(Number.isFinite)) return null;
  const [x, y, width, height] = numbers;
  const confidence = Number.isFinite(one.confidence) ? Math.min(1, Math.max(0, one.confidence)) : null;
  return { label: String(one.label ?? "?").slice(0, 40), confidence, x, y, width: Math.max(0, width), height: Math.max(0, height) };
}
