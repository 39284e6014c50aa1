// Frames that wait for their masks.

const MOST = 12; // more than may be unanswered

/** ImageBitmaps by sequence number, the oldest first; what nobody will ask for any more is closed. */
export class Frames {
  #waiting = new Map();

  keep(sequence, frame) {
    this.#waiting.set(sequence, frame);
    if (this.#waiting.size > MOST) this.#drop(this.#waiting.keys().next().value);
  }

  /** The frame that belongs to `sequence`, now the caller's; undefined if it is gone. Those before it are dropped. */
  take(sequence) {
    if (!this.#waiting.has(sequence)) return undefined;
    for (const earlier of this.#waiting.keys()) {
      if (earlier === sequence) break;
      this.#drop(earlier);
    }
    const frame = this.#waiting.get(sequence);
    this.#waiting.delete(sequence);
    return frame;
  }

  clear() {
    for (const sequence of this.#waiting.keys()) this.#drop(sequence);
  }

  #drop(sequence) {
    this.#waiting.get(sequence).close();
    this.#waiting.delete(sequence);
  }
}
