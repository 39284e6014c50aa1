// Frames that wait for their masks.

const MOST = 12; // more than may be unanswered

/** ImageBitmaps by sequence number, the oldest first, each with what it cost; what nobody will ask for is closed. */
export class Frames {
  #waiting = new Map();

  /** `pageMs`: what this page has spent on the frame so far. */
  keep(sequence, frame, pageMs) {
    this.#waiting.set(sequence, { frame, pageMs });
    if (this.#waiting.size > MOST) this.#drop(this.#waiting.keys().next().value);
  }

  /** `{frame, pageMs}` of `sequence`, the frame now the caller's; empty if it is gone. Those before it are dropped. */
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
