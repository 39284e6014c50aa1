// Masks: `{ids, width, height}`, ids a Uint8Array of class ids row by row.

/** The mask of a `/segment?form=json` reply: exact ids, without an image decoder or colour management. */
export function fromRuns({ width, height, ignore_id, classes }) {
  const ids = new Uint8Array(width * height).fill(ignore_id);
  for (const { id, rle } of classes) {
    for (let i = 0; i < rle.length; i += 2) ids.fill(id, rle[i], rle[i] + rle[i + 1]);
  }
  return { ids, width, height };
}

/** The mask of a stream's reply, whose payload is compressed with zlib. */
export async function inflate({ payload, width, height }) {
  const ids = new Uint8Array(width * height);
  const reader = new Blob([payload]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  let at = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    ids.set(part.value, at);
    at += part.value.length;
  }
  return { ids, width, height };
}

/** `mask` at another size: nearest neighbour with half-pixel centres, as in the gateway. */
export function stretch(mask, width, height) {
  const ids = new Uint8Array(width * height);
  const columns = Uint32Array.from({ length: width }, (_, x) => Math.floor(((x + 0.5) * mask.width) / width));
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * mask.height) / height) * mask.width;
    for (let x = 0; x < width; x++) ids[y * width + x] = mask.ids[row + columns[x]];
  }
  return { ids, width, height };
}

/** The number of pixels of each of the 256 ids. */
export function countPixels({ ids }) {
  const counts = new Uint32Array(256);
  for (let i = 0; i < ids.length; i++) counts[ids[i]]++;
  return counts;
}

/**
 * The classes and their regions, as `/segment?form=json` returns them.
 *
 * @param model `{model, version, ignore_id, classes}`, its classes `{id, name, color, background}`.
 */
export function describe(mask, { model, version, ignore_id, classes }) {
  const { ids, width, height } = mask;
  const regions = new Map();
  for (let start = 0, end; start < ids.length; start = end) {
    end = start + 1;
    while (end < ids.length && ids[end] === ids[start]) end++;
    if (ids[start] === ignore_id) continue;
    let region = regions.get(ids[start]);
    if (!region) regions.set(ids[start], (region = { pixels: 0, left: width, right: 0, top: Infinity, bottom: 0, rle: [] }));
    const [top, bottom] = [Math.floor(start / width), Math.floor((end - 1) / width)];
    region.pixels += end - start;
    region.left = Math.min(region.left, top === bottom ? start % width : 0);
    region.right = Math.max(region.right, top === bottom ? ((end - 1) % width) + 1 : width);
    region.top = Math.min(region.top, top);
    region.bottom = Math.max(region.bottom, bottom + 1);
    region.rle.push(start, end - start);
  }
  const found = classes
    .filter(({ id }) => regions.has(id))
    .map(({ id, name, color, background }) => {
      const { pixels, left, right, top, bottom, rle } = regions.get(id);
      const bounding_box = [left, top, right - left, bottom - top];
      return { id, name, color, background, pixels, area: pixels / ids.length, bounding_box, rle };
    });
  return { model, version, width, height, ignore_id, classes: found };
}
