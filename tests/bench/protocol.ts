/** What the processes tell each other: one JSON text a line, on stdin and stdout. */

/** What a server can do. */
export type Service = "tcp-echo" | "udp-echo" | "sink" | "relay" | "flood";

/** What the load generator can do: to serve idle connections is to serve any. */
export type Workload = Service | "idle";

/** What every process says first: where it listens. */
export interface Ready {
  readonly port: number;
}

/** What a server of "flood" answers when it is asked. */
export interface Received {
  readonly messages: number;
}

/** What the load generator is to do. */
export interface Job {
  readonly workload: Workload;
  /** Where the server listens. */
  readonly port: number;
  /** The server's process. */
  readonly pid: number;
  /** Connections, or datagrams under way, at a time. */
  readonly width: number;
  /** Bytes of a message or write. */
  readonly size: number;
  readonly seconds: number;
}

/** What came of it. */
export interface Traffic {
  /** Messages (echo, flood), or bytes. */
  readonly units: number;
  /** Datagrams that did not come back. */
  readonly lost: number;
  /** How long it really took. */
  readonly seconds: number;
  /** CPU time that the server used, and what it started. Seconds. */
  readonly serverCpu: number;
  /** CPU time that the load generator used. Seconds. */
  readonly loadCpu: number;
}

/** What came of "idle": the server's resident memory with one connection, and with all. Bytes. */
export interface Memory {
  readonly before: number;
  readonly after: number;
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

/**
 * Says where this process listens, answers the lines that come on stdin, and ends this process when the
 * one that started it is gone.
 */
export async function announce(port: number, answer: (line: string) => unknown): Promise<void> {
  const ready: Ready = { port };
  console.log(JSON.stringify(ready));
  for await (const line of linesOf(Deno.stdin.readable)) {
    console.log(JSON.stringify(await answer(line)));
  }
  Deno.exit(0);
}
