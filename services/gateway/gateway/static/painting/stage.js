// Shows a frame with its mask: as an overlay, side by side or with a divider; names the class under the pointer.

import { CanvasPainter } from "./canvas_painter.js";
import { WebglPainter } from "./webgl_painter.js";

const $ = (id) => document.getElementById(id);

const STEP = 0.02; // of the image's width and height, for each press of an arrow key
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

/** Shows frames. `name(id)` gives the probe's text for a class. */
export class Stage {
  #painter = createPainter($("picture"));
  #name;
  #frame;
  #mask = null;
  #rgba = new Uint8Array(4 * 256);
  #opacity = 0.6;
  #view = "overlay";
  #mirrored = false;
  #probed; // fractions of the image's width and height as displayed, while there is a pointer

  constructor(name) {
    this.#name = name;
    const picture = $("result").querySelector(".frame");
    for (const kind of ["pointermove", "pointerdown"]) {
      picture.addEventListener(kind, (event) => {
        const box = picture.getBoundingClientRect();
        this.#probe([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
      });
    }
    // After a tap the name stays; it leaves with a mouse.
    picture.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.#probe());
    $("picture").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#probe();
      const step = ARROWS[event.key];
      if (!step) return;
      event.preventDefault();
      const from = this.#probed ?? [0.5, 0.5];
      this.#probe(from.map((at, axis) => Math.min(0.999, Math.max(0, at + step[axis]))));
    });
    $("picture").addEventListener("blur", () => this.#probe());
    $("picture").addEventListener("webglcontextrestored", () => this.redraw());
    $("divider").addEventListener("input", () => this.redraw());
  }

  /** `{frame, mask}` as shown; `frame` is undefined before the first. */
  get shown() {
    return { frame: this.#frame, mask: this.#mask };
  }

  /** Shows `frame`, an ImageBitmap that the stage closes, with `mask`, which may be null. */
  show(frame, mask) {
    if (this.#frame !== frame) this.#frame?.close();
    this.#frame = frame;
    this.#mask = mask;
    $("views").style.setProperty("--ratio", frame.width / frame.height);
    $("views").classList.remove("empty");
    this.redraw();
  }

  clear() {
    this.#frame?.close();
    this.#frame = undefined;
    this.#mask = null;
    $("views").classList.add("empty");
    this.#probe();
  }

  set rgba(rgba) {
    this.#rgba = rgba;
    this.redraw();
  }

  set opacity(opacity) {
    this.#opacity = opacity;
    this.redraw();
  }

  /** "overlay", "side-by-side" or "slider". */
  set view(view) {
    this.#view = view;
    $("original").hidden = view !== "side-by-side";
    $("divider").hidden = view !== "slider";
    this.redraw();
  }

  set mirrored(mirrored) {
    this.#mirrored = mirrored;
    $("views").classList.toggle("mirrored", mirrored);
    this.redraw();
  }

  redraw() {
    if (!this.#frame) return;
    const divider = this.#view === "slider" ? Number($("divider").value) / 100 : 0;
    this.#painter.paint({
      frame: this.#frame,
      mask: this.#mask,
      rgba: this.#rgba,
      opacity: this.#opacity,
      bare: this.#mirrored ? [1 - divider, 1] : [0, divider],
    });
    if (this.#view === "side-by-side") this.#drawBare();
    this.#probe(this.#probed);
  }

  #drawBare() {
    const canvas = $("bare");
    if (canvas.width !== this.#frame.width) canvas.width = this.#frame.width;
    if (canvas.height !== this.#frame.height) canvas.height = this.#frame.height;
    canvas.getContext("2d", { alpha: false }).drawImage(this.#frame, 0, 0);
  }

  #probe(at) {
    this.#probed = at;
    const probe = $("probe");
    probe.hidden = !at || !this.#mask;
    if (probe.hidden) return;
    const [x, y] = at;
    const { ids, width, height } = this.#mask;
    const column = Math.floor((this.#mirrored ? 1 - x : x) * width);
    const row = Math.floor(y * height);
    const text = this.#name(ids[Math.min(row, height - 1) * width + Math.min(column, width - 1)]);
    if (probe.textContent !== text) probe.textContent = text;
    probe.style.left = `${100 * x}%`;
    probe.style.top = `${100 * y}%`;
    probe.classList.toggle("leftwards", x > 0.6);
    probe.classList.toggle("upwards", y > 0.85);
  }
}

/**
 * A painter for `canvas`: WebGL2 where the browser has it, else the 2D canvas. Both have
 *
 * - `paint({frame, mask, rgba, opacity, bare})`: `frame` an ImageBitmap; `mask` of masks.js or null; `rgba` the colours
 *   and visibility of the 256 ids; `bare` the fractions `[from, to]` of the width without classes.
 */
function createPainter(canvas) {
  return WebglPainter.create(canvas) ?? new CanvasPainter(canvas);
}
