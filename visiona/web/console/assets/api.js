// Calls to the server: the envelope opened, refusals as errors with the server's code.

import { url } from "./routes.js";
import { has, t } from "./text.js";

/** The server said no, or did not say anything (status 0). */
export class Refused extends Error {
  constructor(status, code, message, requestId, details = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.details = details;
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
  const answer = await ask(method, path, { body, signal }, "application/json");
  if (answer.status === 204) return null;
  const said = await answer.json().catch(() => null);
  if (answer.ok && said?.success) return said.data;
  throw refused(answer, said);
}

/** The first of the server-sent events that a path answers with; the rest of them is not waited for. */
export async function firstEvent(method, path, { body, signal } = {}) {
  const answer = await ask(method, path, { body, signal }, "text/event-stream");
  if (!answer.ok) throw refused(answer, await answer.json().catch(() => null));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    text += piece.value;
    const data = /^data: (.*)\n\n/m.exec(text);
    if (data === null) continue;
    reader.cancel().catch(() => {});
    return JSON.parse(data[1]);
  }
  throw new Refused(0, "NO_ANSWER", "the server stopped in the middle of its answer", null);
}

function ask(method, path, { body, signal }, accept) {
  const headers = { Accept: accept };
  if (method !== "GET") headers["X-Visiona-CSRF"] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return send(url(path), {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
    credentials: "same-origin",
    cache: "no-store",
    redirect: "error",
  });
}

/** The same for what stands in no envelope. */
export async function getPlain(path, signal) {
  const answer = await send(url(path), { signal, credentials: "same-origin", redirect: "error" });
  const said = await answer.json().catch(() => null);
  if (answer.ok && said) return said;
  throw refusal(answer.status, said);
}

async function send(address, options) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "NO_ANSWER", "the server does not answer", null);
  }
}

function refused(answer, said) {
  if (answer.status === 401) onSignedOut();
  return refusal(answer.status, said);
}

/** What an answer that is no success says. */
export function refusal(status, said) {
  const error = said?.error ?? {};
  const code = error.code ?? (status >= 500 ? "INTERNAL_ERROR" : "NO_ANSWER");
  return new Refused(status, code, error.message ?? `status ${status}`, error.request_id ?? null, error.details);
}

export const get = (path, signal) => call("GET", path, { signal });
export const post = (path, body, signal) => call("POST", path, { body, signal });
export const patch = (path, body, signal) => call("PATCH", path, { body, signal });
export const remove = (path, signal) => call("DELETE", path, { signal });
