// Dialogs: a question with its consequences, a form. The browser's own element keeps the focus within.

import { h, replace } from "./dom.js";
import { button, problem } from "./parts.js";
import { t } from "./text.js";

let nextId = 0;

/** Opens a dialog and gives it; it is gone from the page once it was closed. `content(dialog)` makes what is in it. */
export function open(title, content) {
  const id = `dialog-${(nextId += 1)}`;
  const dialog = h("dialog", { "aria-labelledby": id });
  dialog.append(h("h2", { id }, title));
  dialog.append(content(dialog));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks before something that cannot be undone. `act` does it; a refusal is shown and the question stays. */
export function confirm({ title, sentences, doing, kind = "danger", act }) {
  return form({
    title,
    fields: () => h("div", { class: "consequences" }, sentences.map((one) => h("p", {}, one))),
    doing,
    kind,
    act,
  });
}

/** A form in a dialog.
 *
 * `fields()` makes the fields; `act(data, dialog)` gets a FormData and does what is to be done. Unless it returns
 * "stay", the dialog closes. A refusal is shown above the buttons.
 */
export function form({ title, fields, doing, kind = "primary", act }) {
  return open(title, (dialog) => {
    const trouble = h("div", { class: "trouble" });
    const submit = button(doing, { kind, type: "submit" });
    const cancel = button(t("dialog.cancel"), { on: { click: () => dialog.close() } });
    const made = h("form", { method: "dialog" }, fields(), trouble, h("div", { class: "buttons" }, cancel, submit));
    made.addEventListener("submit", async (event) => {
      event.preventDefault();
      submit.disabled = true;
      try {
        if ((await act(new FormData(made), dialog)) !== "stay") dialog.close();
      } catch (error) {
        replace(trouble, problem(error));
      } finally {
        submit.disabled = false;
      }
    });
    return made;
  });
}

/** A labelled field with what is to be known about it. */
export function field(label, control, hint) {
  const id = `field-${(nextId += 1)}`;
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    control,
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
  );
}
