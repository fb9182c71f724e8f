// Where the console begins: the language, who is signed in, the frame around the pages, and which page is shown.

import { chosenWorkspace, chooseWorkspace } from "./access.js";
import { get, Refused, whenSignedOut } from "./api.js";
import { h, replace } from "./dom.js";
import { frame, settingsTabs } from "./frame.js";
import { onLive, startLive, stopLive } from "./live.js";
import { announce, problem, startTicker } from "./parts.js";
import { accessTokens } from "./pages/access_tokens.js";
import { activity } from "./pages/activity.js";
import { addDevice } from "./pages/add_device.js";
import { device } from "./pages/device.js";
import { devices } from "./pages/devices.js";
import { models } from "./pages/models.js";
import { notFound } from "./pages/not_found.js";
import { pairing } from "./pages/pairing.js";
import { reference } from "./pages/reference.js";
import { invitation } from "./pages/invitation.js";
import { sessions } from "./pages/sessions.js";
import { signedOut } from "./pages/signed_out.js";
import { workspace } from "./pages/workspace.js";
import { workspaces } from "./pages/workspaces.js";
import { match, pathIn, signInUrl, url } from "./routes.js";
import { firstLanguage, rememberLanguage, t, useLanguage } from "./text.js";
import { stopUploads } from "./uploads.js";

const PAGES = { devices, addDevice, device, models, pairing, activity, workspaces, workspace, tokens: accessTokens, sessions, invitation, reference };

// Their addresses are relative to the page as it was opened; the address of the page changes while it is used.
for (const element of document.querySelectorAll("link[href]")) element.href = element.href;

const place = document.getElementById("console");
let me = null;
let shown = new AbortController();
let around = null;
let isOver = false;

async function begin() {
  await useLanguage(firstLanguage());
  try {
    me = await get("api/auth/me");
  } catch (error) {
    if (error.status === 401) location.replace(signInUrl());
    else replace(place, h("main", { class: "plain" }, problem(error, () => location.reload())));
    return;
  }
  whenSignedOut(() => end("expired"));
  drawFrame();
  window.addEventListener("popstate", () => show(false));
  document.addEventListener("click", followLink);
  startTicker();
  startLive();
  onLive((kind) => kind === "resync" && becameAnother(), new AbortController().signal);
  show(false);
}

function drawFrame() {
  around = frame(me, { chooseLanguage, choose: look, signedOut: (elsewhere) => end("chosen", elsewhere) });
  around.showWorkspaces(chosenWorkspace(me));
  replace(place, around.elements);
  onLive((kind, facts) => kind === "state" && around.showLive(facts), new AbortController().signal);
}

/** Shows the page that the address names. */
function show(moveFocus = true) {
  if (isOver) return;
  shown.abort();
  shown = new AbortController();
  const path = pathIn(location.href) ?? "";
  const found = match(path);
  const context = { signal: shown.signal, id: found?.id, me, go, title: setTitle, workspace: chosenWorkspace(me), refresh };
  around.choose(found?.page);
  const page = (PAGES[found?.page] ?? notFound)(context);
  replace(around.main, settingsTabs(found?.page), page);
  if (moveFocus) {
    scrollTo(0, 0);
    around.main.querySelector("h1")?.focus();
    announce(document.title);
  }
}

function setTitle(text) {
  document.title = `${text} · visiona`;
}

/** Goes to a page of the console. */
function go(path) {
  history.pushState(null, "", url(path));
  show();
}

function followLink(event) {
  const anchor = event.target.closest?.("a[href]");
  if (!anchor || event.defaultPrevented || event.button !== 0 || anchor.target || anchor.hasAttribute("download")) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const path = pathIn(anchor.href);
  if (path === null || match(path) === null) return;
  event.preventDefault();
  go(path);
}

/** Shows what is in one workspace, or for null in all of them. */
function look(workspace) {
  chooseWorkspace(workspace);
  show(false);
}

/** Asks anew who is signed in; whether their workspaces, or what they may do there, have changed. */
async function refresh() {
  const before = JSON.stringify(me.workspaces);
  Object.assign(me, await get("api/auth/me"));
  if (JSON.stringify(me.workspaces) === before) return false;
  around.showWorkspaces(chosenWorkspace(me));
  return true;
}

/** Who is made something else in a workspace, or taken out, is reconnected: then the page is made for what they are now. */
async function becameAnother() {
  const has = await refresh().catch(() => false);
  if (has && !document.querySelector("dialog")) show(false);
}

async function chooseLanguage(name) {
  try {
    await useLanguage(name);
  } catch {
    // Another release is there by now; its pages bring its dictionaries.
    rememberLanguage(name);
    location.reload();
    return;
  }
  rememberLanguage(name);
  drawFrame();
  show(false);
  document.getElementById("language")?.focus();
}

/** Nobody is signed in any more: everything that runs ends, and nothing of it stays on the screen. */
function end(why, elsewhere = null) {
  if (isOver) return;
  isOver = true;
  shown.abort();
  stopLive();
  stopUploads();
  for (const dialog of document.querySelectorAll("dialog")) dialog.remove();
  if (elsewhere !== null) {
    location.assign(elsewhere);
    return;
  }
  setTitle(t(`signedOut.${why}`));
  replace(place, signedOut(why));
  place.querySelector("h1").focus();
}

begin().catch((error) => {
  const text = error instanceof Refused ? error.words : String(error);
  replace(place, h("main", { class: "plain" }, h("h1", {}, "visiona"), h("p", { role: "alert" }, text)));
});
