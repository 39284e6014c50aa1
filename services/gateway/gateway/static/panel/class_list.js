// The list of classes with their fractions; each can be hidden or given another colour.

import { fromHex, toHex } from "../painting/palette.js";
import { make } from "../text.js";

/** Rows in `list`; calls `changed()` when the user has changed `palette`. */
export class ClassList {
  #list;
  #changed;
  #palette;
  #rows = new Map();

  constructor(list, changed) {
    this.#list = list;
    this.#changed = changed;
  }

  /** Shows one row for each of `ids`, in that order, with the colours of `palette`. */
  fill(palette, ids) {
    this.#palette = palette;
    this.#rows = new Map(ids.map((id) => [id, this.#row(id)]));
    this.#list.replaceChildren(...[...this.#rows.values()].map(({ item }) => item));
  }

  /** Adds rows for those of `ids` that have none; existing rows stay in place and keep the keyboard focus. */
  add(ids) {
    ids.forEach((id, at) => {
      if (this.#rows.has(id)) return;
      this.#rows.set(id, this.#row(id));
      this.#list.insertBefore(this.#rows.get(id).item, this.#list.children[at] ?? null);
    });
  }

  has(id) {
    return this.#rows.has(id);
  }

  /** `fractions[id]` is the class's fraction of the image. */
  set fractions(fractions) {
    for (const [id, { percentage, meter }] of this.#rows) {
      const text = `${(100 * fractions[id]).toFixed(1)} %`;
      if (percentage.textContent === text) continue;
      percentage.textContent = text;
      meter.value = fractions[id];
    }
  }

  setAll(visible) {
    for (const [id, { painted }] of this.#rows) {
      this.#palette.setVisible(id, visible);
      painted.checked = visible;
    }
    this.#changed();
  }

  /** Updates the rows to the palette's colours. */
  recolour() {
    for (const [id, { swatch }] of this.#rows) swatch.value = toHex(this.#palette.colorOf(id));
  }

  #row(id) {
    const palette = this.#palette;
    const name = palette.nameOf(id);
    const item = make("li");
    const swatch = make("input", "", "swatch");
    swatch.type = "color";
    swatch.value = toHex(palette.colorOf(id));
    swatch.ariaLabel = `Colour of ${name}`;
    swatch.addEventListener("input", () => {
      palette.setColor(id, fromHex(swatch.value));
      this.#changed();
    });
    const painted = make("input");
    painted.type = "checkbox";
    painted.checked = palette.isVisible(id);
    painted.addEventListener("change", () => {
      palette.setVisible(id, painted.checked);
      this.#changed();
    });
    const label = make("label");
    label.append(painted, make("span", name));
    const percentage = make("span", "", "percentage");
    const meter = make("meter");
    meter.ariaLabel = `Fraction of ${name}`;
    item.append(swatch, label, percentage, meter);
    return { item, swatch, painted, percentage, meter };
  }
}
