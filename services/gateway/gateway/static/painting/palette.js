// Which classes are painted, and in which colour.

// The colours of Okabe and Ito, which people with any colour vision can distinguish, without black. "Color Universal Design",
// 2008, https://jfly.uni-koeln.de/color/
const SAFE = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [240, 228, 66],
  [0, 114, 178],
  [213, 94, 0],
  [204, 121, 167],
];
const SAFE_BACKGROUND = [0, 0, 0];

/** The classes of one model with the user's settings. */
export class Palette {
  #classes = new Map();
  #edited = new Map();
  #hidden = new Set();
  #scheme;

  constructor(scheme) {
    this.#scheme = scheme;
  }

  /** Adds classes `{id, name, color, background}`; a background is hidden until the user shows it. */
  learn(classes) {
    for (const each of classes) {
      if (!this.#classes.has(each.id) && each.background) this.#hidden.add(each.id);
      this.#classes.set(each.id, each);
    }
  }

  /** Sorted by id. */
  get classes() {
    return [...this.#classes.values()].sort((a, b) => a.id - b.id);
  }

  nameOf(id) {
    return this.#classes.get(id)?.name ?? "ignored";
  }

  isVisible(id) {
    return this.#classes.has(id) && !this.#hidden.has(id);
  }

  setVisible(id, visible) {
    if (visible) this.#hidden.delete(id);
    else this.#hidden.add(id);
  }

  /** `[red, green, blue]` as painted. */
  colorOf(id) {
    return this.#edited.get(id) ?? (this.#scheme === "safe" ? this.#safeColor(id) : this.#classes.get(id).color);
  }

  setColor(id, color) {
    this.#edited.set(id, color);
  }

  /** "model" or "safe"; discards colours that the user chose. */
  set scheme(name) {
    this.#scheme = name;
    this.#edited.clear();
  }

  /** RGBA of the 256 ids, alpha 255 where painted and 0 elsewhere. */
  get rgba() {
    const table = new Uint8Array(4 * 256);
    for (const id of this.#classes.keys()) {
      if (this.isVisible(id)) table.set([...this.colorOf(id), 255], 4 * id);
    }
    return table;
  }

  /** Depends on the id only, so that a class keeps its colour; after seven the hues repeat, darker, then lighter. */
  #safeColor(id) {
    if (this.#classes.get(id).background) return SAFE_BACKGROUND;
    const round = Math.floor(id / SAFE.length) % 3;
    return SAFE[id % SAFE.length].map((value) => Math.round([value, 0.55 * value, 127 + value / 2][round]));
  }
}

export function toHex(color) {
  return `#${color.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

export function fromHex(text) {
  return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
}
