// Moving a device to another workspace.

import { changeable, workspaceName } from "../access.js";
import { post } from "../api.js";
import { field, form } from "../dialogs.js";
import { h } from "../dom.js";
import { announce } from "../parts.js";
import { t } from "../text.js";

/** Asks where it shall be. `over` ends what the page itself runs over the device, which would end with an error. */
export function askWhereTo({ me, go, path }, device, over) {
  const others = changeable(me).filter((one) => one.id !== device.workspace_id);
  const options = others.map((one) => h("option", { value: one.id }, workspaceName(me, one.id)));
  form({
    title: t("device.moveTitle", { name: device.name }),
    fields: () =>
      h(
        "div",
        { class: "stack" },
        field(t("device.moveTo"), h("select", { name: "workspace" }, options)),
        h("p", {}, t("device.moveText", { name: workspaceName(me, device.workspace_id) })),
        h("p", {}, t("device.moveCut")),
      ),
    doing: t("device.move"),
    act: async (data) => {
      const target = data.get("workspace");
      await post(`api/devices/${device.id}/transfer`, { workspace_id: target }).catch((error) => {
        if (error.code !== "CONFLICT") throw error;
        throw Object.assign(error, { code: "VALIDATION_FAILED", message: t("device.moveConflict") });
      });
      over.abort();
      announce(t("device.moved", { name: device.name, workspace: workspaceName(me, target) }));
      go(path);
    },
  });
}
