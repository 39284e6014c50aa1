// Frames waiting for their masks.

const MAX_FRAMES = 12; // more than the stream leaves unanswered

/** ImageBitmaps by sequence number, oldest first, each with its cost; dropped ones are closed. */
export class Frames {
  #waiting = new Map();

  /** `pageMs`: milliseconds that the page has spent on the frame so far. */
  keep(sequence, frame, pageMs) {
    this.#waiting.set(sequence, { frame, pageMs });
    if (this.#waiting.size > MAX_FRAMES) this.#drop(this.#waiting.keys().next().value);
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
