// A mask in the gateway's format: an indexed PNG, pixel value = class id (PNG specification, third edition).

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const TEXT_KEY = "segstack-classes";

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

/**
 * A PNG Blob of `mask`.
 *
 * @param classes list of `{id, name, color}`: the palette and, as JSON, a text chunk.
 * @param ignoreId the id that is transparent.
 */
export async function encodeMask({ ids, width, height }, classes, ignoreId) {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8); // bits per pixel
  header.setUint8(9, 3); // indexed
  const colours = new Uint8Array(3 * 256);
  for (const { id, color } of classes) colours.set(color, 3 * id);
  const opacity = new Uint8Array(256).fill(255);
  opacity[ignoreId] = 0;
  const text = JSON.stringify({ ignore_id: ignoreId, classes: classes.map(({ id, name, color }) => ({ id, name, color })) });
  return new Blob(
    [
      new Uint8Array(SIGNATURE),
      ...chunk("IHDR", new Uint8Array(header.buffer)),
      ...chunk("PLTE", colours),
      ...chunk("tRNS", opacity),
      ...chunk("tEXt", new TextEncoder().encode(`${TEXT_KEY}\0${ascii(text)}`)),
      ...chunk("IDAT", await deflate(rows(ids, width, height))),
      ...chunk("IEND", new Uint8Array()),
    ],
    { type: "image/png" },
  );
}

/** Each row after a byte with its filter type: 0, none. */
function rows(ids, width, height) {
  const bytes = new Uint8Array((width + 1) * height);
  for (let y = 0; y < height; y++) bytes.set(ids.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return bytes;
}

async function deflate(bytes) {
  const deflated = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(deflated).arrayBuffer());
}

function chunk(type, data) {
  const head = new DataView(new ArrayBuffer(8));
  head.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) head.setUint8(4 + i, type.charCodeAt(i));
  const crc = new DataView(new ArrayBuffer(4));
  crc.setUint32(0, crcOf(new Uint8Array(head.buffer, 4), data));
  return [head, data, crc];
}

function crcOf(...parts) {
  let crc = 0xffffffff;
  for (const part of parts) for (const byte of part) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** A text chunk is Latin-1; JSON escapes everything else in ASCII. */
function ascii(json) {
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
