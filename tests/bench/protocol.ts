/** What the processes tell each other: one JSON text a line, on stdin and stdout. */
import type { Kind } from "./plan.ts";

/** A server, and the sink of the load generator, say first where they listen. */
export interface Ready {
  readonly port: number;
}

/** What the load generator is to do. */
export interface Job {
  readonly kind: Kind;
  /** The server's. */
  readonly port: number;
  readonly width: number;
  readonly seconds: number;
}

/** What came of it. */
export interface Result {
  /** Messages (echo) or millions of bytes (relay) a second. */
  readonly rate: number;
  /** Datagrams sent again because no answer came any more. */
  readonly resent: number;
}

/** The lines of a stream. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** Says where this process listens, and makes it end when the one that started it is gone. */
export async function announce(port: number): Promise<void> {
  const ready: Ready = { port };
  console.log(JSON.stringify(ready));
  for await (const _ of Deno.stdin.readable);
  Deno.exit(0);
}
