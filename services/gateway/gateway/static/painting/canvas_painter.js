// Paints with the 2D canvas: for browsers without WebGL2, and for saved files.

/** See createPainter in stage.js. Also accepts an OffscreenCanvas. */
export class CanvasPainter {
  #canvas;
  #colours = new OffscreenCanvas(1, 1);

  constructor(canvas) {
    this.#canvas = canvas;
  }

  paint({ frame, mask, rgba, opacity, bare }) {
    const canvas = this.#canvas;
    if (canvas.width !== frame.width) canvas.width = frame.width;
    if (canvas.height !== frame.height) canvas.height = frame.height;
    const { width, height } = canvas;
    const context = canvas.getContext("2d", { alpha: false });
    context.drawImage(frame, 0, 0);
    if (!mask) return;
    this.#colour(mask, rgba);
    context.save();
    context.beginPath();
    context.rect(0, 0, bare[0] * width, height);
    context.rect(bare[1] * width, 0, (1 - bare[1]) * width, height);
    context.clip();
    context.globalAlpha = opacity;
    context.drawImage(this.#colours, 0, 0, width, height);
    context.restore();
  }

  #colour({ ids, width, height }, rgba) {
    this.#colours.width = width;
    this.#colours.height = height;
    const context = this.#colours.getContext("2d");
    const image = context.createImageData(width, height);
    // Copied as 32-bit words, which is correct in either byte order.
    const pixels = new Uint32Array(image.data.buffer);
    const words = new Uint32Array(rgba.buffer);
    for (let i = 0; i < ids.length; i++) pixels[i] = words[ids[i]];
    context.putImageData(image, 0, 0);
  }
}
