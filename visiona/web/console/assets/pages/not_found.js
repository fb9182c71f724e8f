// An address of the console where nothing is.

import { heading, link } from "../parts.js";
import { h } from "../dom.js";
import { t } from "../text.js";

export function notFound({ title }) {
  title(t("notFound.title"));
  return h(
    "div",
    { class: "stack" },
    heading(t("notFound.title")),
    h("p", {}, t("notFound.text")),
    h("p", {}, link("", { class: "button primary" }, t("notFound.back"))),
  );
}
