// Nobody is signed in any more, by choice or because the session ended. One way on, and it is the person's to take.

import { h } from "../dom.js";
import { mark } from "../frame.js";
import { signInUrl } from "../routes.js";
import { t } from "../text.js";

export function signedOut(why) {
  return h(
    "main",
    { class: "plain" },
    h("p", { class: "brand" }, mark(), "visiona"),
    h("h1", { tabindex: "-1" }, t(`signedOut.${why}`)),
    h("p", {}, t(`signedOut.${why}Text`)),
    h("p", {}, h("a", { class: "button primary", href: signInUrl() }, t("signedOut.again"))),
  );
}
