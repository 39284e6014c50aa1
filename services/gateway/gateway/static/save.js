// Files of what is on the screen, at the picture's own size.

import { CanvasPainter } from "./canvas_painter.js";
import { encodeMask } from "./mask_png.js";
import { describe, stretch } from "./masks.js";

/** `frame` under the painted classes of `mask`, as PNG; drawn before this returns, so that `frame` may go. */
export function overlayFile(frame, mask, rgba, opacity) {
  const canvas = new OffscreenCanvas(frame.width, frame.height);
  new CanvasPainter(canvas).paint({ frame, mask, rgba, opacity, bare: [0, 0] });
  return canvas.convertToBlob({ type: "image/png" });
}

/** What `POST /segment` answers: an indexed PNG. `served` is who made the mask: `{model, version, ignore_id, classes}`. */
export function maskFile(mask, { width, height }, served) {
  return encodeMask(stretch(mask, width, height), served.classes, served.ignore_id);
}

/** What `POST /segment?output=json` answers. */
export function jsonFile(mask, { width, height }, served) {
  return new Blob([JSON.stringify(describe(stretch(mask, width, height), served))], { type: "application/json" });
}

/** Hands `blob` to the browser's downloads. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has taken hold of it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
