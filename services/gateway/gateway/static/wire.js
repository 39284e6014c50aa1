// The stream's binary messages (services/gateway/PROTOCOL.md): little-endian.

const VERSION = 1;
const FRAME = 1;
const FRAME_HEADER_BYTES = 16;
const REPLY_HEADER_BYTES = 40;

/** Kinds of a reply's payload. */
export const MASK = 2;
export const ERROR = 4;

/** The header of a frame, before its image. */
export function frameHeader(sequence, capturedAt) {
  const header = new DataView(new ArrayBuffer(FRAME_HEADER_BYTES));
  header.setUint8(0, VERSION);
  header.setUint8(1, FRAME);
  header.setUint32(4, sequence, true);
  header.setFloat64(8, capturedAt, true);
  return header;
}

/** A reply's fields; `timing` maps the gateway's stages to milliseconds. */
export function parseReply(buffer) {
  const header = new DataView(buffer);
  const [decode, queue, infer, encode] = [16, 20, 24, 28].map((at) => header.getUint32(at, true) / 1000);
  return {
    kind: header.getUint8(1),
    sequence: header.getUint32(4, true),
    capturedAt: header.getFloat64(8, true),
    timing: { decode, queue, infer, encode },
    dropped: header.getUint32(32, true),
    width: header.getUint16(36, true),
    height: header.getUint16(38, true),
    payload: new Uint8Array(buffer, REPLY_HEADER_BYTES),
  };
}
