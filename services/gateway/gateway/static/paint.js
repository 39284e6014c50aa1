// Class colours from runs: the ids are exact, no image decoder and no colour management in between.

/** Paints every class but the background; the rest stays transparent. */
export function paint(canvas, segmentation) {
  canvas.width = segmentation.width;
  canvas.height = segmentation.height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(segmentation.width, segmentation.height);
  const pixels = new DataView(image.data.buffer);
  const words = new Uint32Array(image.data.buffer);
  for (const { color, background, rle } of segmentation.classes) {
    if (background) continue;
    // Written as bytes and read back as a word: right whichever way round this machine has them.
    const [red, green, blue] = color;
    const first = rle[0];
    pixels.setUint32(4 * first, ((red << 24) | (green << 16) | (blue << 8) | 255) >>> 0);
    const word = words[first];
    for (let i = 0; i < rle.length; i += 2) words.fill(word, rle[i], rle[i] + rle[i + 1]);
  }
  context.putImageData(image, 0, 0);
}
