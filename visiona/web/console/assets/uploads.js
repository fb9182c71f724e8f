// Files of models on their way to the server. They go on while the person looks at other pages of the console; where the
// connection is lost they wait for it, ask how much has arrived, and go on from there.

import { post, Refused, refusal } from "./api.js";
import { url } from "./routes.js";
import { Sha256 } from "./sha256.js";

const READ_BYTES = 4 * 1024 * 1024;
const PIECE_BYTES = 8 * 1024 * 1024; // what is sent again at most, and what a refusal waits for
const STALLED_MILLISECONDS = 30000;
const MAX_PAUSE_SECONDS = 15;
const MAX_FAILURES = 40; // in a row without one more byte there: some ten minutes

const uploads = new Set();
const listeners = new Set();

/** Calls `listener(upload)` whenever one has changed, until the signal says to stop. */
export function onUploads(listener, signal) {
  listeners.add(listener);
  signal.addEventListener("abort", () => listeners.delete(listener));
}

/** Those that go on, and those that failed and were not put away. */
export function currentUploads() {
  return [...uploads];
}

/** Begins: `wish` is what the API is told of the model, without what the file itself says. */
export function startUpload(file, wish) {
  const upload = new Upload(file, wish);
  uploads.add(upload);
  upload.run();
  return upload;
}

/** Ends all of them, for example because nobody is signed in any more. */
export function stopUploads() {
  for (const upload of uploads) upload.stop();
}

window.addEventListener("beforeunload", (event) => {
  if ([...uploads].some((upload) => upload.isUnderWay)) event.preventDefault();
});

/** One file. `state`: reading, sending, waiting (for the connection), checking, done, failed; `error` of a failed one. */
class Upload {
  constructor(file, wish) {
    this.file = file;
    this.wish = wish;
    this.state = "reading";
    this.bytes = 0;
    this.model = null;
    this.error = null;
    this.over = new AbortController();
  }

  get isUnderWay() {
    return !["done", "failed"].includes(this.state);
  }

  /** Ends it; what has arrived stays for a day, for who begins again with the same file. */
  stop() {
    this.over.abort();
    this.forget();
  }

  /** Takes it off the list. */
  forget() {
    if (uploads.delete(this)) this.tell();
  }

  async run() {
    try {
      this.digest = await this.read();
      this.become("sending", 0);
      let link = await this.announce();
      while (link !== null) link = (await this.bring(link)) ? null : await this.announce();
      this.become("done");
      this.forget();
    } catch (error) {
      if (this.over.signal.aborted) return;
      this.error = error;
      this.become("failed");
    }
  }

  async read() {
    const digest = new Sha256();
    for (let at = 0; at < this.file.size; at += READ_BYTES) {
      const piece = await this.file.slice(at, at + READ_BYTES).arrayBuffer();
      this.over.signal.throwIfAborted();
      digest.update(new Uint8Array(piece));
      this.become("reading", at + piece.byteLength);
    }
    return digest.end();
  }

  /** Has the server know of the model; gives the link for its file, null where that is there already. */
  async announce() {
    const body = { ...this.wish, file_size: this.file.size, sha256: this.digest };
    const said = await this.patiently(() => post("api/models/init", body, this.over.signal));
    this.model = said.model;
    if (!said.upload_url) return null;
    // An object store is another place than this server, which is the only one that this page may speak to.
    if (!said.resumable) throw new Refused(0, "ELSEWHERE", "files are kept in an object store", null);
    // However the server calls itself: the way by which this page was reached is open.
    return url(said.upload_url.slice(said.upload_url.indexOf("/storage/") + 1));
  }

  /** Brings what is missing, and has the model finished; false where another link is needed. */
  async bring(link) {
    let at = (await this.put(link)).received_bytes;
    while (at < this.file.size) {
      this.become("sending", at);
      const said = await this.put(link, at);
      if (said === null) return false;
      at = said.received_bytes;
    }
    this.become("checking", at);
    this.model = await this.patiently(() => post(`api/models/${this.model.id}/finalize`, undefined, this.over.signal));
    return true;
  }

  /** Sends the piece at `at`, or without one asks how much is there; null where the link is too old. */
  async put(link, at = null) {
    try {
      return await this.patiently(() => this.send(link, at), isBusy);
    } catch (error) {
      // A link that was good a moment ago.
      if (error.status === 403 && at !== null) return null;
      if (error.details?.received_bytes !== undefined) return error.details;
      throw error;
    }
  }

  /** Does it until it gets an answer that will not change by waiting. */
  async patiently(act, alsoPasses = () => false) {
    const before = this.state;
    for (let failures = 0; ; failures += 1) {
      try {
        return await act();
      } catch (error) {
        const passes = error instanceof Refused && (isPassing(error) || alsoPasses(error));
        if (this.over.signal.aborted || !passes || failures >= MAX_FAILURES) throw error;
        this.become("waiting");
        await this.file.slice(0, 1).arrayBuffer(); // one that was changed meanwhile can be read no more
        await this.pause(Math.min(MAX_PAUSE_SECONDS, 2 ** failures));
        this.become(before);
      }
    }
  }

  /** Waits so long, or until the browser is online again. */
  pause(seconds) {
    return new Promise((done, fail) => {
      const over = new AbortController();
      const end = (how) => () => {
        over.abort();
        clearTimeout(timer);
        how();
      };
      const timer = setTimeout(end(done), seconds * 1000);
      window.addEventListener("online", end(done), { signal: over.signal });
      this.over.signal.addEventListener("abort", end(() => fail(this.over.signal.reason)), { signal: over.signal });
    });
  }

  send(link, at) {
    const size = this.file.size;
    const piece = at === null ? new Blob([]) : this.file.slice(at, at + PIECE_BYTES);
    const range = at === null ? `bytes */${size}` : `bytes ${at}-${at + piece.size - 1}/${size}`;
    return sent(link, piece, range, this.over.signal, (bytes) => this.become("sending", at + bytes));
  }

  become(state, bytes = this.bytes) {
    this.state = state;
    this.bytes = bytes;
    this.tell();
  }

  tell() {
    for (const listener of [...listeners]) listener(this);
  }
}

// No answer; too slow, too often; the server is away, or its database.
const isPassing = (error) => error.code === "NO_ANSWER" || [408, 429, 500, 502, 503, 504].includes(error.status);

// What was left of a connection that broke holds the file for a moment.
const isBusy = (error) => error.status === 409 && error.details?.received_bytes === undefined;

/** One PUT. It is no fetch, for only this tells how much has left. */
function sent(link, body, range, signal, progressed) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    let timer = null;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => request.abort(), STALLED_MILLISECONDS);
    };
    const ended = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      if (signal.aborted) fail(signal.reason);
      else if (request.response?.success) done(request.response.data);
      else fail(refusal(request.status, request.response));
    };
    const stop = () => request.abort();
    signal.addEventListener("abort", stop);
    request.upload.addEventListener("progress", (event) => {
      alive();
      progressed(event.loaded);
    });
    request.addEventListener("loadend", ended);
    request.open("PUT", link);
    request.responseType = "json";
    request.setRequestHeader("Content-Range", range);
    alive();
    request.send(body);
  });
}
