// The line that a person pastes on the unit.

import { serverUrl } from "./routes.js";

const TARGET = /^http:\/\/(\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?\/?$/i;

/** A local service's address as the agent takes it; null for anything else. It ends in a shell, so it is strict. */
export function targetOrNull(text) {
  const trimmed = text.trim();
  return TARGET.test(trimmed) ? trimmed.replace(/\/$/, "") : null;
}

/** Pairs the unit, and keeps it reachable. */
export function pairingLine(token, target) {
  return `visiona agent pair ${token} --relay ${serverUrl()} --target ${target} && visiona agent run`;
}

/** Whether the address by which this console was opened means something on this machine alone. */
export function isThisMachineOnly() {
  return /^(localhost|127\.|\[::1\])/.test(location.hostname);
}
