// What happens on the server, as it happens. One connection for the whole console, closed while nobody looks, because
// a browser has six to a host for all its tabs. After each (re)connection listeners hear "resync" and ask for all.

import { get } from "./api.js";
import { url } from "./routes.js";

const KINDS = ["device", "answered", "redeemed", "changed"];
const AGAIN_MILLISECONDS = 5000;

const listeners = new Set();
let source = null;
let again = null;
let state = "connecting";

/** Begins; call it once. */
export function startLive() {
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  if (!document.hidden) start();
}

/** Ends for good, for example because nobody is signed in any more. */
export function stopLive() {
  listeners.clear();
  stop();
}

/** Calls `listener(kind, facts)` for every event until the signal says to stop; kinds as on the wire, and "resync" and
 * "state" (with "open" or "lost"). */
export function onLive(listener, signal) {
  listeners.add(listener);
  signal.addEventListener("abort", () => listeners.delete(listener));
  if (state === "open") queueMicrotask(() => !signal.aborted && listener("resync", {}));
}

export function liveState() {
  return state;
}

function start() {
  if (source !== null) return;
  clearTimeout(again);
  source = new EventSource(url("api/live"));
  source.addEventListener("hello", () => {
    become("open");
    tell("resync", {});
  });
  for (const kind of KINDS) source.addEventListener(kind, (event) => tell(kind, JSON.parse(event.data)));
  source.addEventListener("error", failed);
}

function stop() {
  clearTimeout(again);
  source?.close();
  source = null;
}

function failed() {
  become("lost");
  if (source?.readyState !== EventSource.CLOSED) return; // it tries again by itself
  stop();
  // A refusal, not a broken line. `get` tells everybody if nobody is signed in; other reasons pass.
  get("api/auth/me").catch(() => {});
  again = setTimeout(() => !document.hidden && start(), AGAIN_MILLISECONDS);
}

function become(next) {
  if (state === next) return;
  state = next;
  tell("state", next);
}

function tell(kind, facts) {
  for (const listener of [...listeners]) listener(kind, facts);
}
