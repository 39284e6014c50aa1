// A client of the gateway's stream (services/gateway/PROTOCOL.md) that reconnects by itself.

import { key } from "../api.js";
import { gatewayError } from "../errors.js";

// The binary messages are little-endian.
const VERSION = 1;
const FRAME = 1;
const FRAME_HEADER_BYTES = 16;
const REPLY_HEADER_BYTES = 40;

// A reply's kinds of payload.
const MASK = 2;
const ERROR = 4;

const PAUSES_MS = [250, 500, 1000, 2000, 4000, 8000];
const MAX_UNANSWERED = 8;
const LONGEST_GAP_MS = 250;

/**
 * Sends frames and receives masks. The listener has
 *
 * - `configured(answer)`: the model that answers from now on, with its classes;
 * - `masked(reply)`: a mask, as parseReply returns it;
 * - `refused(sequence, error)`: there is no mask for a frame;
 * - `failed(error)`: the configuration was refused; the stream tries again, or waits for a key;
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
    else this.reconnect();
  }

  /** Whether a model answers, over a connection that is not being closed. */
  get isConfigured() {
    return this.#isConfigured && this.#socket.readyState === WebSocket.OPEN;
  }

  /**
   * Whether a frame may be sent now. The gateway keeps the newest and drops the rest, so frames are held back only when
   * the uplink is slow. If the model takes longer than eight frames they are sent further apart: eight at once would
   * leave it with an old one.
   */
  get isReady() {
    return (
      this.isConfigured &&
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
  reconnect() {
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
      if (typeof data === "string") this.#receiveMessage(JSON.parse(data));
      else this.#receiveReply(parseReply(data));
    });
    socket.addEventListener("close", () => {
      if (socket === this.#socket) this.#handleClose();
    });
  }

  #sendConfiguration() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return; // the next connection begins with it
    const message = { type: "configure", form: "mask", size: "model", ...this.#wanted };
    if (key()) message.api_key = key();
    this.#socket.send(JSON.stringify(message));
  }

  #receiveMessage(message) {
    if (message.type === "configured") {
      this.#isConfigured = true;
      this.#failures = 0;
      this.#listener.configured(message);
    } else if (message.type === "error") {
      const error = gatewayError(message.error);
      this.#isConfigured = false;
      this.#awaitsKey = error.needsKey;
      this.#listener.failed(error);
      // A key must come from the user; anything else, such as a model being loaded, may resolve itself.
      if (!error.needsKey) this.#timer = setTimeout(() => this.#sendConfiguration(), this.#pause());
    }
  }

  #receiveReply(reply) {
    // Replies come in the order of their frames: every earlier frame is answered or dropped.
    this.#unanswered = (this.#next - 1 - reply.sequence) >>> 0;
    const now = performance.now();
    this.#gapMs = Math.min(LONGEST_GAP_MS, (now - this.#answeredAt) / MAX_UNANSWERED);
    this.#answeredAt = now;
    if (!this.#isConfigured) return; // by the old configuration
    if (reply.kind === MASK) this.#listener.masked(reply);
    else if (reply.kind === ERROR) this.#listener.refused(reply.sequence, gatewayError(errorIn(reply)));
  }

  #handleClose() {
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

/** The header of a frame, before its image. */
function frameHeader(sequence, capturedAt) {
  const header = new DataView(new ArrayBuffer(FRAME_HEADER_BYTES));
  header.setUint8(0, VERSION);
  header.setUint8(1, FRAME);
  header.setUint32(4, sequence, true);
  header.setFloat64(8, capturedAt, true);
  return header;
}

/** A reply's fields; `timing` maps the gateway's stages to milliseconds. */
function parseReply(buffer) {
  const header = new DataView(buffer);
  const [decode, queue, infer, encode] = [16, 20, 24, 28].map((at) => header.getUint32(at, true) / 1000);
  return {
    kind: header.getUint8(1),
    sequence: header.getUint32(4, true),
    capturedAt: header.getFloat64(8, true),
    timing: { decode, queue, infer, encode },
    dropped: header.getUint32(32, true),
    width: header.getUint16(36, true),
    height: header.getUint16(38, true),
    payload: new Uint8Array(buffer, REPLY_HEADER_BYTES),
  };
}
