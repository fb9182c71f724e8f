// Loading a model onto an accelerator: which one, and what becomes of it. What does not fit is shown with the reason.

import { firstEvent, get } from "./api.js";
import { form, open } from "./dialogs.js";
import { h, replace } from "./dom.js";
import { isOver, LoadView } from "./load_view.js";
import { button, link, problem, waiting } from "./parts.js";
import { to } from "./routes.js";
import { size, t } from "./text.js";

const fits = (model, chip) => model.target_chips.includes(chip.trim().toUpperCase());

/** From a model: asks for the accelerator. */
export async function askWhere({ signal }, model) {
  const choose = h("div", {}, waiting(1, "row"));
  const dialog = form({
    title: t("load.title", { name: model.name }),
    fields: () => h("div", { class: "stack" }, h("p", { class: "quiet" }, t("load.madeFor", { chips: model.target_chips.join(", ") })), choose),
    doing: t("load.begin"),
    act: async (data, dialog) => {
      if (!data.get("place")) return "stay";
      await begin(model, JSON.parse(data.get("place")), dialog);
      return "stay";
    },
  });
  const submit = dialog.querySelector("button[type=submit]");
  submit.disabled = true;
  try {
    const devices = await get("api/devices", signal);
    const places = devices.flatMap((device) => placesOn(device, model));
    submit.disabled = !places.some((one) => one.why === null);
    replace(choose, places.length ? placeChoice(places) : h("p", { class: "notice warn" }, t("load.noDevice")));
  } catch (error) {
    if (error.name !== "AbortError") replace(choose, problem(error));
  }
}

/** From an accelerator: asks for the model. */
export async function askWhich({ signal }, device, accelerator, begun) {
  const choose = h("div", {}, waiting(1, "row"));
  const dialog = form({
    title: t("load.titleOn", { name: accelerator.name || accelerator.chip }),
    fields: () => choose,
    doing: t("load.begin"),
    act: async (data) => {
      const model = { id: data.get("model") };
      begun(await firstEvent("POST", `api/models/${model.id}/load-to-device`, { body: { device_id: device.id, accelerator: accelerator.id } }).catch(inWords));
    },
  });
  const submit = dialog.querySelector("button[type=submit]");
  submit.disabled = true;
  try {
    const ready = (await get("api/models", signal)).filter((one) => one.status === "ready");
    const fitting = ready.filter((one) => fits(one, accelerator.chip));
    submit.disabled = fitting.length === 0;
    replace(choose, fitting.length ? modelChoice(fitting) : h("p", { class: "notice warn" }, t("load.noModel", { chip: accelerator.chip })), h("p", {}, link(to.models, { on: { click: () => dialog.close() } }, t("nav.models"))));
  } catch (error) {
    if (error.name !== "AbortError") replace(choose, problem(error));
  }
}

/** The accelerators of a device, each with why it cannot be taken, or null. */
function placesOn(device, model) {
  return device.accelerators.map((one) => {
    const misfit = fits(model, one.chip) ? null : t("load.otherChip", { chip: one.chip || "?" });
    return { device, one, why: device.tunnel_online ? misfit : t("load.offline") };
  });
}

function placeChoice(places) {
  const sorted = [...places.filter((one) => one.why === null), ...places.filter((one) => one.why !== null)];
  const isOnly = places.filter((one) => one.why === null).length === 1;
  const items = sorted.map(({ device, one, why }, index) => {
    const value = JSON.stringify({ device_id: device.id, accelerator: one.id });
    const radio = h("input", { type: "radio", name: "place", value, required: true, disabled: why !== null, checked: isOnly && index === 0 });
    return h(
      "label",
      { class: why === null ? "choice" : "choice off" },
      radio,
      h("span", {}, h("strong", { dir: "auto" }, device.name), h("span", { class: "small quiet" }, `${one.name || one.chip} · ${one.id}`), why && h("span", { class: "small why" }, why)),
    );
  });
  return h("fieldset", { class: "places" }, h("legend", {}, t("load.where")), items);
}

function modelChoice(fitting) {
  const options = fitting.map((one) => h("option", { value: one.id }, `${one.name} ${one.version} · ${size(one.file_size)}`));
  const select = h("select", { name: "model", id: "load-model" }, options);
  return h("div", { class: "field" }, h("label", { for: "load-model" }, t("device.model")), select);
}

async function begin(model, place, before) {
  const load = await firstEvent("POST", `api/models/${model.id}/load-to-device`, { body: place }).catch(inWords);
  before.close();
  const over = new AbortController();
  const goesOn = h("p", { class: "quiet", hidden: isOver(load) }, t("load.goesOn"));
  const view = new LoadView(load, over.signal, () => (goesOn.hidden = true));
  const dialog = open(t("load.title", { name: model.name }), (dialog) =>
    h(
      "div",
      {},
      view.element,
      goesOn,
      h("div", { class: "buttons" }, link(to.device(load.device_id), { class: "button", on: { click: () => dialog.close() } }, t("add.open")), button(t("load.close"), { kind: "primary", on: { click: () => dialog.close() } })),
    ),
  );
  dialog.addEventListener("close", () => over.abort());
}

/** A conflict here is one of three things; the server's sentence says which, ours what to do. */
function inWords(error) {
  if (error.code !== "CONFLICT") throw error;
  const key = error.details?.load_id ? "load.otherOnItsWay" : error.details?.target_chips ? "load.misfit" : "load.notReady";
  throw Object.assign(error, { code: "VALIDATION_FAILED", message: t(key) });
}
