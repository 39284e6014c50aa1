// Draws an image with its classes on it.

import { CanvasPainter } from "./canvas_painter.js";
import { WebglPainter } from "./webgl_painter.js";

/**
 * A painter for `canvas`: WebGL2 where the browser has it, else the 2D canvas. Both have
 *
 * - `paint({frame, mask, rgba, opacity, bare})`: `frame` an ImageBitmap; `mask` of masks.js or null; `rgba` the colours
 *   and visibility of the 256 ids; `bare` the fractions `[from, to]` of the width without classes.
 */
export function painterOn(canvas) {
  return WebglPainter.on(canvas) ?? new CanvasPainter(canvas);
}
