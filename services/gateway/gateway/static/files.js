// Files: how they reach the page, how images are decoded, and how results are saved.

import { CanvasPainter } from "./painting/canvas_painter.js";
import { encodeMask } from "./painting/mask_png.js";
import { describe, stretch } from "./painting/masks.js";

const LONGEST_SIDE = 2560; // more than most screens have; photos of phones have 4000 and more

/** Calls `open(file)` with the user's file, or with undefined if it was something else. */
export function onFile(input, open) {
  input.addEventListener("change", () => open(input.files[0]));
  document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    open(event.dataTransfer.files[0]);
  });
}

/** `file` decoded at full size, rotated by its EXIF data. Rejects if the browser cannot decode it. */
export function decodeWhole(file) {
  return createImageBitmap(file);
}

/** The same, no larger than a screen. */
export async function decode(file) {
  const whole = await decodeWhole(file);
  const scale = LONGEST_SIDE / Math.max(whole.width, whole.height);
  if (scale >= 1) return whole;
  const smaller = await createImageBitmap(whole, { resizeWidth: Math.round(scale * whole.width), resizeQuality: "high" });
  whole.close();
  return smaller;
}

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
