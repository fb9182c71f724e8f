// Calls to the server: the envelope opened, refusals as errors with the server's code.

import { url } from "./routes.js";
import { has, t } from "./text.js";

/** The server said no, or did not say anything (status 0). */
export class Refused extends Error {
  constructor(status, code, message, requestId) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }

  /** For a person, in the person's language where we have words for the code. */
  get words() {
    if (this.code === "VALIDATION_FAILED") return this.message;
    return has(`error.${this.code}`) ? t(`error.${this.code}`) : this.message;
  }
}

let onSignedOut = () => {};

/** `listener` is called when the server says that nobody is signed in any more. */
export function whenSignedOut(listener) {
  onSignedOut = listener;
}

/** Calls a path of the API and gives `data`; raises Refused, or AbortError when the signal says so. */
export async function call(method, path, { body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-Visiona-CSRF"] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await send(url(path), {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
    credentials: "same-origin",
    cache: "no-store",
    redirect: "error",
  });
  if (answer.status === 204) return null;
  const said = await answer.json().catch(() => null);
  if (answer.ok && said?.success) return said.data;
  const refused = refusal(answer, said);
  if (refused.status === 401) onSignedOut();
  throw refused;
}

/** The same for what stands in no envelope. */
export async function getPlain(path, signal) {
  const answer = await send(url(path), { signal, credentials: "same-origin", redirect: "error" });
  const said = await answer.json().catch(() => null);
  if (answer.ok && said) return said;
  throw refusal(answer, said);
}

async function send(address, options) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "NO_ANSWER", "the server does not answer", null);
  }
}

function refusal(answer, said) {
  const error = said?.error ?? {};
  const code = error.code ?? (answer.status >= 500 ? "INTERNAL_ERROR" : "NO_ANSWER");
  return new Refused(answer.status, code, error.message ?? `status ${answer.status}`, error.request_id ?? null);
}

export const get = (path, signal) => call("GET", path, { signal });
export const post = (path, body, signal) => call("POST", path, { body, signal });
export const patch = (path, body, signal) => call("PATCH", path, { body, signal });
export const remove = (path, signal) => call("DELETE", path, { signal });
