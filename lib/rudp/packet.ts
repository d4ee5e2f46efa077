/**
 * The nine bytes in front of every message: its number and what the packet is. See `README.md` in this
 * folder for the table and the vectors.
 *
 * @module
 */

/** Bytes in front of the message. */
export const HEADER = 9;

/** What byte 8 says. */
const DATA = 0, ACK = 1;

/** The biggest datagram over IPv4 (RFC 768, RFC 791). */
export const MAX_DATAGRAM = 65_507;

/** A packet that was read. */
export interface Packet {
  /** The message's number, 0 to 2 ** 64 - 1. */
  readonly number: bigint;
  /** The message, a view on the packet; undefined for an acknowledgement. */
  readonly message: Uint8Array | undefined;
}

function packet(number: bigint, type: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER + size);
  new DataView(bytes.buffer).setBigUint64(0, number);
  bytes[8] = type;
  return bytes;
}

/** The packet of a message. */
export function dataPacket(number: bigint, message: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = packet(number, DATA, message.length);
  bytes.set(message, HEADER);
  return bytes;
}

/** The packet that acknowledges a message. */
export function ackPacket(number: bigint): Uint8Array<ArrayBuffer> {
  return packet(number, ACK, 0);
}

/** Reads a packet; undefined if it is none: too short, or of a type that is not defined. */
export function readPacket(bytes: Uint8Array): Packet | undefined {
  const type = bytes[8];
  if (type !== DATA && type !== ACK) return undefined;
  const number = new DataView(bytes.buffer, bytes.byteOffset, HEADER).getBigUint64(0);
  return { number, message: type === DATA ? bytes.subarray(HEADER) : undefined };
}
