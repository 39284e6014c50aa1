// Decodes image files for the page.

const LONGEST_SIDE = 2560; // more than most screens have; photos of phones have 4000 and more

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
