// Files of what is shown, at the image's full size.

import { CanvasPainter } from "./canvas_painter.js";
import { encodeMask } from "./mask_png.js";
import { describe, stretch } from "./masks.js";

/** `frame` with the classes of `mask` painted on it, as PNG. Drawn before it returns: `frame` may be closed then. */
export function overlayFile(frame, mask, rgba, opacity) {
  const canvas = new OffscreenCanvas(frame.width, frame.height);
  new CanvasPainter(canvas).paint({ frame, mask, rgba, opacity, bare: [0, 0] });
  return canvas.convertToBlob({ type: "image/png" });
}

/** As `POST /segment` returns it: an indexed PNG. `served`, `{model, version, ignore_id, classes}`, made the mask. */
export function maskFile(mask, { width, height }, served) {
  return encodeMask(stretch(mask, width, height), served.classes, served.ignore_id);
}

/** As `POST /segment?form=json` returns it. */
export function jsonFile(mask, { width, height }, served) {
  return new Blob([JSON.stringify(describe(stretch(mask, width, height), served))], { type: "application/json" });
}

/** Downloads `blob` as a file. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has started by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
