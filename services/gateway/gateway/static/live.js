// Sends a video element's frames through the stream and shows each with its own mask.

import { Frames } from "./frames.js";
import { inflate } from "./masks.js";
import { Stream } from "./stream.js";

/**
 * Streams what `video` plays. The listener has the stream's `configured`, `troubled` and `lost`, and
 * `show(frame, mask, reply)`: a frame, which the listener closes; `mask` and `reply` are null while there is no answer.
 */
export class Live {
  #video;
  #listener;
  #stream;
  #frames = new Frames();
  #worker = new Worker("/static/jpeg_worker.js");
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
        masked: (reply) => this.#receive(reply),
        refused: (sequence, trouble) => {
          const { frame } = this.#frames.take(sequence);
          if (frame) listener.show(frame, null, null);
          listener.troubled(trouble);
        },
        troubled: listener.troubled,
        lost: () => {
          this.#frames.clear();
          this.#newest = null;
          listener.lost();
        },
      },
      wanted,
    );
    // The last frame before the video stopped may have been skipped; the one that stays visible must be sent.
    for (const moment of ["pause", "seeked"]) video.addEventListener(moment, this.#captureStill);
    this.#watch();
  }

  configure(wanted) {
    this.#stream.configure(wanted);
  }

  hurry() {
    this.#stream.hurry();
  }

  close() {
    this.#isClosed = true;
    for (const moment of ["pause", "seeked"]) this.#video.removeEventListener(moment, this.#captureStill);
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

  async #receive(reply) {
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
