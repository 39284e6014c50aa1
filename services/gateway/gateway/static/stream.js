// A client of the gateway's stream (services/gateway/PROTOCOL.md) that reconnects by itself.

import { key } from "./api.js";
import { troubleOf } from "./troubles.js";
import { ERROR, MASK, frameHeader, parseReply } from "./wire.js";

const PAUSES_MS = [250, 500, 1000, 2000, 4000, 8000];
const MAX_UNANSWERED = 8;
const LONGEST_GAP_MS = 250;

/**
 * Sends frames and receives masks. The listener has
 *
 * - `configured(answer)`: the model that answers from now on, with its classes;
 * - `masked(reply)`: a mask, as wire.js parses it;
 * - `refused(sequence, trouble)`: there is no mask for a frame;
 * - `troubled(trouble)`: the configuration was refused; the stream tries again, or waits for a key;
 * - `lost()`: the connection was lost, with every frame in flight; the stream tries to reconnect.
 */
export class Stream {
  #listener;
  #wanted;
  #socket;
  #isConfigured = false;
  #awaitsKey = false;
  #failures = 0;
  #timer;
  #next = 0; // sequence numbers are u32 and wrap around
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

  /** Changes to `{model, version}`; `configured` is called before its first mask. */
  configure(wanted) {
    this.#wanted = wanted;
    this.#awaitsKey = false;
    clearTimeout(this.#timer);
    if (this.#socket?.readyState === WebSocket.OPEN) this.#sendConfiguration();
    else this.hurry();
  }

  /** Whether a model answers. */
  get isConfigured() {
    return this.#isConfigured;
  }

  /**
   * Whether a frame may be sent now. The gateway keeps the newest and drops the rest, so frames are held back only when
   * the uplink is slow. If the model takes longer than eight frames they are sent further apart: eight at once would
   * leave it with an old one.
   */
  get isReady() {
    return (
      this.#isConfigured &&
      this.#unanswered < MAX_UNANSWERED &&
      this.#socket.bufferedAmount <= this.#frameBytes && // at most one not yet sent
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

  /** Reconnects at once: the gateway is known to be back. */
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
    const message = { type: "configure", form: "mask", size: "model", ...this.#wanted };
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
      // A key must come from the user; anything else, such as a model being loaded, may resolve itself.
      if (!trouble.needsKey) this.#timer = setTimeout(() => this.#sendConfiguration(), this.#pause());
    }
  }

  #receive(reply) {
    // Replies come in the order of their frames: every earlier frame is answered or dropped.
    this.#unanswered = (this.#next - 1 - reply.sequence) >>> 0;
    const now = performance.now();
    this.#gapMs = Math.min(LONGEST_GAP_MS, (now - this.#answeredAt) / MAX_UNANSWERED);
    this.#answeredAt = now;
    if (!this.#isConfigured) return; // by the old configuration
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
    return longest * (0.5 + Math.random() / 2); // so that pages do not all reconnect at the same moment
  }
}

function errorIn({ payload }) {
  return JSON.parse(new TextDecoder().decode(payload)).error;
}
