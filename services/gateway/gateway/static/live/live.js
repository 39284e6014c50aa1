// Sends a video element's frames through the stream and shows each with its own mask.

import { inflate } from "../painting/masks.js";
import { Stream } from "./stream.js";

const MAX_WAITING = 12; // more than the stream leaves unanswered

/**
 * Streams what `video` plays. The listener has the stream's `configured`, `failed` and `lost`, and
 * `show(frame, mask, reply)`: a frame, which the listener closes; `mask` and `reply` are null while there is no answer.
 */
export class Live {
  #video;
  #listener;
  #stream;
  #frames = new Frames();
  #worker = new Worker(new URL("jpeg_worker.js", import.meta.url));
  #inputSize;
  #isCapturing = false;
  #isInflating = false;
  #newest = null;
  #isClosed = false;
  #captureStill = () => this.#capture();

  constructor(video, wanted, listener) {
    this.#video = video;
    this.#listener = listener;
    this.#stream = new Stream(
      {
        configured: (answer) => {
          this.#inputSize = answer;
          listener.configured(answer);
          this.#capture(); // the frame of a paused video
        },
        masked: (reply) => this.#receiveReply(reply),
        refused: (sequence, error) => {
          const { frame } = this.#frames.take(sequence);
          if (frame) listener.show(frame, null, null);
          listener.failed(error);
        },
        failed: listener.failed,
        lost: () => {
          this.#frames.clear();
          this.#newest = null;
          listener.lost();
        },
      },
      wanted,
    );
    // The last frame before the video stopped may have been skipped; the one that stays visible must be sent.
    for (const type of ["pause", "seeked"]) video.addEventListener(type, this.#captureStill);
    this.#watch();
  }

  configure(wanted) {
    this.#stream.configure(wanted);
  }

  reconnect() {
    this.#stream.reconnect();
  }

  close() {
    this.#isClosed = true;
    for (const type of ["pause", "seeked"]) this.#video.removeEventListener(type, this.#captureStill);
    this.#stream.close();
    this.#worker.terminate();
    this.#frames.clear();
  }

  #watch() {
    const seen = () => {
      if (this.#isClosed) return;
      this.#capture();
      this.#watch();
    };
    if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(seen);
    else requestAnimationFrame(seen); // Firefox before 132: some frames are captured twice
  }

  async #capture() {
    const video = this.#video;
    if (this.#isCapturing || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    if (this.#stream.isConfigured && !this.#stream.isReady) return;
    this.#isCapturing = true;
    try {
      const capturedAt = performance.now();
      const frame = await createImageBitmap(video);
      if (!this.#stream.isConfigured) {
        if (this.#isClosed) frame.close();
        else this.#listener.show(frame, null, null);
        return;
      }
      const jpeg = await this.#encode(frame);
      if (!this.#stream.isConfigured) {
        frame.close();
        return;
      }
      const sequence = this.#stream.send(jpeg, capturedAt);
      this.#frames.keep(sequence, frame, performance.now() - capturedAt);
    } finally {
      this.#isCapturing = false;
    }
  }

  /** Scaled down to what the model's input needs: the gateway would discard the rest. */
  async #encode(frame) {
    const { width, height } = this.#inputSize;
    const scale = Math.min(1, Math.max(width / frame.width, height / frame.height));
    const copy = await createImageBitmap(frame, {
      resizeWidth: Math.round(scale * frame.width),
      resizeHeight: Math.round(scale * frame.height),
      resizeQuality: "medium",
    });
    return new Promise((resolve) => {
      this.#worker.onmessage = ({ data }) => resolve(data);
      this.#worker.postMessage(copy, [copy]);
    });
  }

  async #receiveReply(reply) {
    this.#newest = reply;
    if (this.#isInflating) return;
    this.#isInflating = true;
    try {
      while (this.#newest) {
        const next = this.#newest;
        this.#newest = null;
        await this.#show(next);
      }
    } finally {
      this.#isInflating = false;
    }
  }

  async #show(reply) {
    const receivedAt = performance.now();
    const mask = await inflate(reply);
    const { frame, pageMs } = this.#frames.take(reply.sequence);
    if (!frame) return;
    reply.timing.page = pageMs + performance.now() - receivedAt;
    this.#listener.show(frame, mask, reply);
  }
}

/** ImageBitmaps waiting for their masks, by sequence number, oldest first, each with its cost; dropped ones are closed. */
class Frames {
  #waiting = new Map();

  /** `pageMs`: milliseconds that the page has spent on the frame so far. */
  keep(sequence, frame, pageMs) {
    this.#waiting.set(sequence, { frame, pageMs });
    if (this.#waiting.size > MAX_WAITING) this.#drop(this.#waiting.keys().next().value);
  }

  /** `{frame, pageMs}` of `sequence`, to be closed by the caller; empty if dropped. Earlier frames are dropped. */
  take(sequence) {
    if (!this.#waiting.has(sequence)) return {};
    for (const earlier of this.#waiting.keys()) {
      if (earlier === sequence) break;
      this.#drop(earlier);
    }
    const found = this.#waiting.get(sequence);
    this.#waiting.delete(sequence);
    return found;
  }

  clear() {
    for (const sequence of this.#waiting.keys()) this.#drop(sequence);
  }

  #drop(sequence) {
    this.#waiting.get(sequence).frame.close();
    this.#waiting.delete(sequence);
  }
}
