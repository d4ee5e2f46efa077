import { showKind } from "../net/show.ts";

const encoder = new TextEncoder();

/** What `send` was given, as bytes. */
export function toBytes(data: unknown, what = "data"): Uint8Array {
  if (typeof data === "string") return encoder.encode(data);
  if (data instanceof Uint8Array) return data;
  // Not the value: it may be a payload.
  throw new TypeError(`${what}: a Uint8Array or a string is needed, got ${got(data)}`);
}

function got(data: unknown): string {
  const kind = showKind(data);
  if (ArrayBuffer.isView(data)) return `${kind}; take a Uint8Array of its buffer`;
  const isBuffer = data instanceof ArrayBuffer || data instanceof SharedArrayBuffer;
  return isBuffer ? `${kind}; wrap it in a Uint8Array` : kind;
}

/** Each byte as the character of that code, which TextDecoder's "latin1" is not. */
export function byteString(data: Uint8Array): string {
  let text = "";
  for (let i = 0; i < data.length; i += 8192) { // the stack holds no more arguments
    text += String.fromCharCode(...data.subarray(i, i + 8192));
  }
  return text;
}
