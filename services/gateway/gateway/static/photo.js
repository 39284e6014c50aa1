// Image files as the page shows them.

const LONGEST_SIDE = 2560; // more than most screens have; a phone's photo is 4000 and more

/** `file` decoded, turned as its EXIF says, at its own size. Rejects what this browser cannot read. */
export function decodeWhole(file) {
  return createImageBitmap(file);
}

/** The same no larger than a screen. */
export async function decode(file) {
  const whole = await decodeWhole(file);
  const scale = LONGEST_SIDE / Math.max(whole.width, whole.height);
  if (scale >= 1) return whole;
  const smaller = await createImageBitmap(whole, { resizeWidth: Math.round(scale * whole.width), resizeQuality: "high" });
  whole.close();
  return smaller;
}
