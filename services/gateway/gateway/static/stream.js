// The gateway's stream (services/gateway/PROTOCOL.md), which comes back by itself.

import { key } from "./api.js";
import { troubleOf } from "./troubles.js";
import { ERROR, MASK, frameHeader, parseReply } from "./wire.js";

const PAUSES_MS = [250, 500, 1000, 2000, 4000, 8000];
const MAX_UNANSWERED = 8;
const LONGEST_GAP_MS = 250;

/**
 * Frames out, masks in. The listener has
 *
 * - `configured(answer)`: who answers from here on, with which classes;
 * - `masked(reply)`: a mask, as wire.js parses it;
 * - `refused(sequence, trouble)`: a frame gets no mask;
 * - `troubled(trouble)`: the configuration was refused; the stream tries it again, or waits for a key;
 * - `lost()`: the connection is gone, and what was sent with it; the stream looks for the gateway.
 */
export class Stream {
  #listener;
  #wanted;
  #socket;
  #isConfigured = false;
  #awaitsKey = false;
  #failures = 0;
  #timer;
  #next = 0; // sequence numbers are u32 and come round again
  #unanswered = 0;
  #frameBytes = 0;
  #sentAt = 0;
  #answeredAt = 0;
  #gapMs = 0;

  constructor(listener, wanted) {
    this.#listener = listener;
    this.#wanted = wanted;
    this.#connect();
  }

  /** Asks for another `{model, version}`; answered by `configured` before any mask of it. */
  configure(wanted) {
    this.#wanted = wanted;
    this.#awaitsKey = false;
    clearTimeout(this.#timer);
    if (this.#socket?.readyState === WebSocket.OPEN) this.#sendConfiguration();
    else this.hurry();
  }

  /** Whether there is someone who answers. */
  get isConfigured() {
    return this.#isConfigured;
  }

  /**
   * Whether a frame may go out now. The gateway keeps the newest and drops the rest, so there is nothing to hold back
   * for but an uplink that is behind. A model that takes longer than eight frames is sent frames further apart: eight at
   * once would leave it with an old one.
   */
  get isReady() {
    return (
      this.#isConfigured &&
      this.#unanswered < MAX_UNANSWERED &&
      this.#socket.bufferedAmount <= this.#frameBytes && // at most one on its way out
      performance.now() - this.#sentAt >= this.#gapMs
    );
  }

  /** Sends an encoded image; returns its sequence number. */
  send(image, capturedAt) {
    const sequence = this.#next;
    this.#next = (sequence + 1) >>> 0;
    this.#unanswered += 1;
    this.#frameBytes = image.size;
    this.#sentAt = performance.now();
    this.#socket.send(new Blob([frameHeader(sequence, capturedAt), image]));
    return sequence;
  }

  /** The gateway is known to be back: does not wait for the next try. */
  hurry() {
    if (this.#socket || this.#awaitsKey) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  close() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.#isConfigured = false;
    socket?.close();
  }

  #connect() {
    const address = new URL("/stream", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#sendConfiguration());
    socket.addEventListener("message", ({ data }) => {
      if (socket !== this.#socket) return;
      if (typeof data === "string") this.#hear(JSON.parse(data));
      else this.#receive(parseReply(data));
    });
    socket.addEventListener("close", () => {
      if (socket === this.#socket) this.#lose();
    });
  }

  #sendConfiguration() {
    const message = { type: "configure", output: "mask", size: "model", ...this.#wanted };
    if (key()) message.api_key = key();
    this.#socket.send(JSON.stringify(message));
  }

  #hear(message) {
    if (message.type === "configured") {
      this.#isConfigured = true;
      this.#failures = 0;
      this.#listener.configured(message);
    } else if (message.type === "error") {
      const trouble = troubleOf(message.error);
      this.#isConfigured = false;
      this.#awaitsKey = trouble.needsKey;
      this.#listener.troubled(trouble);
      // A person has to bring the key; for all else, as a model that is being loaded, time may help.
      if (!trouble.needsKey) this.#timer = setTimeout(() => this.#sendConfiguration(), this.#pause());
    }
  }

  #receive(reply) {
    // Replies come in the order of their frames: what was sent before this one is answered or dropped.
    this.#unanswered = (this.#next - 1 - reply.sequence) >>> 0;
    const now = performance.now();
    this.#gapMs = Math.min(LONGEST_GAP_MS, (now - this.#answeredAt) / MAX_UNANSWERED);
    this.#answeredAt = now;
    if (!this.#isConfigured) return; // the old configuration's
    if (reply.kind === MASK) this.#listener.masked(reply);
    else if (reply.kind === ERROR) this.#listener.refused(reply.sequence, troubleOf(errorIn(reply)));
  }

  #lose() {
    this.#socket = null;
    this.#isConfigured = false;
    this.#unanswered = 0;
    clearTimeout(this.#timer);
    if (!this.#awaitsKey) this.#timer = setTimeout(() => this.#connect(), this.#pause());
    this.#listener.lost();
  }

  #pause() {
    const longest = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)];
    this.#failures += 1;
    return longest * (0.5 + Math.random() / 2); // not every page at the same moment
  }
}

function errorIn({ payload }) {
  return JSON.parse(new TextDecoder().decode(payload)).error;
}
