// Bringing a model from this computer: what is to be known of it, and how far its file has come.

import { changeable, workspaceName } from "../access.js";
import { field, form } from "../dialogs.js";
import { h, replace, setText } from "../dom.js";
import { announce, button, problem } from "../parts.js";
import { size, t } from "../text.js";
import { currentUploads, onUploads, startUpload } from "../uploads.js";

const CHIPS = ["KL520", "KL630", "KL720", "KL730"];
const AGAIN = ["upload.deleted", "upload.full", "upload.wrong"]; // what may go better the next time
const REFUSALS = {
  CONFLICT: "upload.conflict",
  ELSEWHERE: "upload.elsewhere",
  PAYLOAD_TOO_LARGE: "upload.tooLarge",
  STORAGE_FULL: "upload.full",
  NOT_FOUND: "upload.deleted",
};

/** Asks for a file and what it is. `known` is a model whose file has not come, of which the rest is known already. */
export function askForModel({ me, workspace, known = null }) {
  const file = h("input", { name: "file", type: "file", required: true });
  const name = textField("name", known?.name, { required: true, maxlength: 120 });
  const version = textField("version", known?.version ?? "1", { required: true, maxlength: 64 });
  file.addEventListener("change", () => {
    if (!name.value) name.value = (file.files[0]?.name ?? "").replace(/\.[^.]*$/, "").slice(0, 120);
  });
  const others = (known?.target_chips ?? []).filter((chip) => !CHIPS.includes(chip));
  const more = textField("others", others.join(", "), { maxlength: 400 });
  form({
    title: t(known ? "upload.goOnTitle" : "upload.title"),
    fields: () =>
      h(
        "div",
        {},
        field(t("upload.file"), file, known ? t("upload.sameFile") : t("upload.fileHint")),
        field(t("upload.name"), name),
        field(t("upload.version"), version, t("upload.versionHint")),
        h("fieldset", { class: "chips" }, h("legend", {}, t("upload.chips")), CHIPS.map((chip) => chipBox(chip, known))),
        field(t("upload.otherChips"), more, t("device.tagsHint")),
        known ? null : workspaceField(me, workspace),
        field(t("upload.description"), textField("description", known?.description, { maxlength: 2000 })),
        field(t("upload.license"), textField("license", known?.license, { maxlength: 120 })),
      ),
    doing: t("upload.begin"),
    act: (data) => {
      const chips = [...data.getAll("chip"), ...data.get("others").split(/[\s,，、]+/)].filter(Boolean);
      if (chips.length === 0) throw problemOf(t("upload.noChip"));
      if (file.files[0].size === 0) throw problemOf(t("upload.empty"));
      startUpload(file.files[0], {
        name: data.get("name"),
        version: data.get("version"),
        target_chips: chips,
        description: data.get("description") || undefined,
        license: data.get("license") || undefined,
        workspace_id: known?.workspace_id ?? data.get("workspace") ?? undefined,
      });
    },
  });
}

const problemOf = (words) => Object.assign(new Error(words), { words });

function textField(name, value, more) {
  return h("input", { name, type: "text", value, autocomplete: "off", ...more });
}

function chipBox(chip, known) {
  const box = h("input", { type: "checkbox", name: "chip", value: chip, checked: known?.target_chips.includes(chip) });
  return h("label", { class: "choice" }, box, h("span", {}, chip));
}

function workspaceField(me, workspace) {
  const own = changeable(me);
  if (own.length < 2) return null;
  const options = own.map((one) => h("option", { value: one.id, selected: one.id === workspace }, workspaceName(me, one.id)));
  return field(t("workspace.one"), h("select", { name: "workspace" }, options));
}

/** The list of files on their way; `arrived(model)` is called for each that is there. */
export function uploadList(signal, arrived) {
  const list = h("ul", { class: "rows uploads", "aria-label": t("upload.list") });
  const rows = new Map();
  const draw = () => {
    const now = currentUploads();
    for (const upload of rows.keys()) if (!now.includes(upload)) rows.delete(upload);
    for (const upload of now) if (!rows.has(upload)) rows.set(upload, uploadRow(upload));
    replace(list, [...rows.values()].map((row) => row.element));
    list.hidden = rows.size === 0;
  };
  onUploads((upload) => {
    const row = rows.get(upload);
    if (row && currentUploads().includes(upload)) row.show();
    else draw();
    if (upload.state === "done" && upload.model !== null) arrived(upload.model);
  }, signal);
  draw();
  return list;
}

function uploadRow(upload) {
  const bar = h("progress", { max: String(Math.max(1, upload.file.size)), "aria-label": t("upload.progress", { name: upload.wish.name }) });
  const words = h("p", { class: "quiet" });
  const trouble = h("div", {});
  const stop = button(t("dialog.cancel"), { kind: "quiet", "aria-label": t("upload.stop", { name: upload.wish.name }), on: { click: () => upload.stop() } });
  const head = h("div", { class: "row-head" }, h("strong", {}, upload.wish.name), h("span", { class: "quiet" }, upload.wish.version));
  let said = null;
  const show = () => {
    const values = { done: size(upload.bytes), whole: size(upload.file.size) };
    bar.value = upload.bytes;
    setText(words, t(`upload.state.${upload.state}`, values));
    if (said === upload.state) return;
    said = upload.state;
    if (upload.state === "waiting" || upload.state === "done") announce(t(`upload.state.${said}`, values));
    if (upload.state !== "failed") return;
    bar.hidden = words.hidden = true;
    replace(trouble, refused(upload));
    stop.lastElementChild.textContent = t("upload.putAway");
  };
  show();
  return { element: h("li", {}, h("div", { class: "row-main" }, head, bar, words, trouble), stop), show };
}

function refused(upload) {
  const { error } = upload;
  const isUnreadable = ["NotReadableError", "NotFoundError"].includes(error.name);
  const key = isUnreadable ? "upload.changed" : error.details?.about ? "upload.wrong" : REFUSALS[error.code];
  const again = () => {
    upload.forget();
    startUpload(upload.file, upload.wish);
  };
  if (key === undefined) return problem(error, again);
  const detail = error.status ? h("p", { class: "small", lang: "en" }, error.message) : null;
  const command = key === "upload.elsewhere" ? h("code", {}, "visiona model push FILE --chip KL720") : null;
  return h("div", { class: "notice bad", role: "alert" }, h("p", {}, t(key)), command, detail, AGAIN.includes(key) && button(t("error.retry"), { on: { click: again } }));
}
