/**
 * As much of HTTP/1.1 (RFC 9110, RFC 9112) as the examples need, spoken over a pipe.
 *
 * @module
 */
import { type Pipe, SUB_ALL } from "@p2pd/pipes";

/** A longer head is refused. */
const MAX_HEAD = 16 * 1024;

/** The first line of a message and its fields; their names are in lower case. */
export interface Head {
  readonly line: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** Reads a stream as HTTP does: heads, and bodies of a known length. */
export class HttpReader {
  readonly #pipe: Pipe;
  #held: Uint8Array = new Uint8Array();

  constructor(pipe: Pipe) {
    this.#pipe = pipe;
  }

  /** The next head, or undefined at the end of the stream. */
  async head(): Promise<Head | undefined> {
    for (;;) {
      const end = endOfHead(this.#held);
      if (end > 0) {
        const text = new TextDecoder().decode(this.#held.subarray(0, end - 4));
        this.#held = this.#held.subarray(end);
        return parseHead(text);
      }
      if (this.#held.length > MAX_HEAD) throw new Error(`A head of more than ${MAX_HEAD} bytes`);
      const more = await this.#pipe.recv(SUB_ALL);
      if (more === null && this.#held.length === 0) return undefined;
      if (more === null) throw new Error("The connection ended within a head");
      this.#held = join(this.#held, more);
    }
  }

  /** So many bytes, as they come. */
  async *body(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0;) {
      const more = this.#held.length > 0 ? this.#held : await this.#pipe.recv(SUB_ALL);
      if (more === null) throw new Error(`The connection ended ${left} bytes early`);
      this.#held = more.subarray(left);
      const part = more.subarray(0, left);
      left -= part.length;
      yield part;
    }
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

/** Where the blank line ends, or 0. */
function endOfHead(bytes: Uint8Array): number {
  for (let i = 3; i < bytes.length; i++) {
    if (bytes[i] === 10 && bytes[i - 1] === 13 && bytes[i - 2] === 10 && bytes[i - 3] === 13) {
      return i + 1;
    }
  }
  return 0;
}

function parseHead(text: string): Head {
  const [line = "", ...rest] = text.split("\r\n");
  const fields = new Map<string, string>();
  for (const field of rest) {
    const colon = field.indexOf(":");
    if (colon < 1) throw new Error(`No field of a head: "${field.slice(0, 80)}"`);
    fields.set(field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim());
  }
  return { line, fields };
}

/** A head for sending. */
export function formatHead(
  line: string,
  fields: Readonly<Record<string, string | number>>,
): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line}\r\n${lines.join("")}\r\n`;
}
