// Addresses. All are made from where the console itself lies, so it may lie below any path.

const root = new URL(document.documentElement.dataset.root, location.href);

/** The absolute URL of a path of ours, such as `api/devices`. */
export function url(path) {
  return new URL(path, root).href;
}

/** The same for a WebSocket. */
export function socketUrl(path) {
  const found = new URL(path, root);
  found.protocol = found.protocol === "https:" ? "wss:" : "ws:";
  return found.href;
}

/** Where people reach this server, without a slash at the end: what an agent is to be told. */
export function serverUrl() {
  return root.origin + root.pathname.replace(/\/$/, "");
}

/** The console's path in an address, such as `devices/new`; null if the address is not below the console. */
export function pathIn(address) {
  const found = new URL(address, root);
  if (found.origin !== root.origin || !found.pathname.startsWith(root.pathname)) return null;
  return found.pathname.slice(root.pathname.length);
}

const RULES = [
  [/^$/, "devices"],
  [/^devices\/new$/, "addDevice"],
  [/^devices\/([0-9a-f-]{36})$/, "device"],
  [/^models$/, "models"],
  [/^pairing$/, "pairing"],
  [/^activity$/, "activity"],
  [/^workspaces$/, "workspaces"],
  [/^workspaces\/([0-9a-f-]{36})$/, "workspace"],
  [/^tokens$/, "tokens"],
  [/^sessions$/, "sessions"],
  [/^invitation$/, "invitation"],
  [/^reference$/, "reference"],
];

/** Which page a path is, and what it names. */
export function match(path) {
  for (const [pattern, page] of RULES) {
    const found = pattern.exec(path);
    if (found) return { page, id: found[1] ?? null };
  }
  return null;
}

export const to = {
  devices: "",
  addDevice: "devices/new",
  device: (id) => `devices/${encodeURIComponent(id)}`,
  models: "models",
  pairing: "pairing",
  activity: "activity",
  workspaces: "workspaces",
  workspace: (id) => `workspaces/${encodeURIComponent(id)}`,
  tokens: "tokens",
  sessions: "sessions",
  reference: "reference",
};

/** Where signing in begins, coming back to where one is. */
export function signInUrl() {
  return `${url("api/auth/login")}?return_to=${encodeURIComponent(location.pathname)}`;
}

/** The path of a device's own server, through its tunnel. */
export function throughTunnel(deviceId, path) {
  return `api/devices/${encodeURIComponent(deviceId)}/proxy/${path}`;
}
