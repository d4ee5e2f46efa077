import { malformed } from "./error.ts";

const HEADER = 20;

/** Finds the messages in a byte stream, where one read may have half of one, or several. */
export class Framer {
  #held = new Uint8Array();

  /**
   * The messages that are whole with these bytes.
   *
   * @throws {StunError} If the stream cannot be STUN; nothing of it can be read any more.
   */
  push(data: Uint8Array): Uint8Array[] {
    const held = new Uint8Array(this.#held.length + data.length);
    held.set(this.#held);
    held.set(data, this.#held.length);
    const view = new DataView(held.buffer);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (held.length - at >= HEADER) {
      const length = view.getUint16(at + 2);
      if (
        view.getUint16(at) > 0x3fff || length % 4 !== 0 || view.getUint32(at + 4) !== 0x2112a442
      ) {
        throw malformed("the stream is not STUN");
      }
      const end = at + HEADER + length;
      if (end > held.length) break;
      messages.push(held.subarray(at, end));
      at = end;
    }
    // No more than one message is held: 65,555 bytes.
    this.#held = held.slice(at);
    return messages;
  }
}
