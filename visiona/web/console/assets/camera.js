// A device's camera: the moving picture where there is one, else a still that is asked for again and again, else words.
// Nothing is fetched while nobody looks, and nothing moves for who asked for little motion, unless they press play.

import { h, icon, replace } from "./dom.js";
import { button } from "./parts.js";
import { throughTunnel, url } from "./routes.js";
import { t } from "./text.js";

const FIRST_PICTURE_MILLISECONDS = 15000;
const STILL_MILLISECONDS = 2000;
const NOTHING = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";

export class Camera {
  /** `overlay` is drawn over the picture and told its size by `sized(width, height)`. */
  constructor(device, signal, overlay) {
    this.device = device;
    this.overlay = overlay;
    this.online = device.tunnel_online;
    this.wanted = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.timer = null;
    this.picture = h("img", { class: "picture", alt: t("camera.alt", { name: device.name }), width: "640", height: "480", hidden: true });
    this.words = h("p", { class: "camera-words" });
    this.stage = h("div", { class: "stage" }, this.picture, overlay.element, this.words);
    this.toggle = button(t("camera.pause"), { kind: "quiet small", sign: "pause", on: { click: () => this.want(!this.wanted) } });
    this.element = h("section", { class: "panel camera", "aria-labelledby": "camera-title" }, h("div", { class: "panel-head" }, h("h2", { id: "camera-title" }, t("camera.title")), this.toggle), this.stage);
    document.addEventListener("visibilitychange", () => this.decide(), { signal });
    signal.addEventListener("abort", () => this.stop());
    this.decide();
  }

  /** The device came or went. */
  setOnline(online) {
    if (online === this.online) return;
    this.online = online;
    this.decide();
  }

  want(wanted) {
    this.wanted = wanted;
    this.decide();
  }

  decide() {
    this.stop();
    this.toggle.hidden = !this.online;
    replace(this.toggle, icon(this.wanted ? "pause" : "play"), h("span", {}, t(this.wanted ? "camera.pause" : "camera.play")));
    if (!this.online) this.say(this.device.remote_status === "unknown" ? "camera.never" : "camera.offline");
    else if (document.hidden) return;
    else if (this.wanted) this.playStream();
    else this.askStill(false);
  }

  stop() {
    clearTimeout(this.timer);
    this.picture.onload = this.picture.onerror = null;
    // An image that is only taken out of the page goes on loading.
    if (!this.picture.hidden || this.picture.src) this.picture.src = NOTHING;
    this.picture.hidden = true;
    this.overlay.stop();
  }

  playStream() {
    this.say("camera.waiting");
    const began = performance.now();
    // The load event of a stream comes when it pleases; the size is there with the first picture.
    const look = () => {
      if (this.picture.naturalWidth > 1) this.show(true);
      else if (performance.now() - began > FIRST_PICTURE_MILLISECONDS) this.askStill(true);
      else this.timer = setTimeout(look, 100);
    };
    this.picture.onerror = () => this.askStill(true);
    this.picture.src = this.address("stream");
    this.timer = setTimeout(look, 100);
  }

  askStill(again) {
    clearTimeout(this.timer);
    this.picture.onload = () => {
      this.show(again);
      if (again) this.timer = setTimeout(() => this.askStill(true), STILL_MILLISECONDS);
    };
    this.picture.onerror = () => {
      this.picture.hidden = true;
      this.say("camera.none");
    };
    this.picture.src = `${this.address("snapshot")}?at=${Date.now()}`;
  }

  show(moving) {
    const { naturalWidth, naturalHeight } = this.picture;
    this.picture.hidden = false;
    this.words.hidden = true;
    this.stage.dataset.moving = String(moving);
    if (moving) this.overlay.start(naturalWidth, naturalHeight);
  }

  say(key) {
    this.words.hidden = false;
    replace(this.words, t(key));
  }

  address(what) {
    return url(throughTunnel(this.device.id, `api/camera/${what}`));
  }
}
