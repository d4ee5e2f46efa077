/**
 * The load generator: raw Deno, the same for every server. Does what each line of its input says and
 * answers with one line. An answer that is not the message that was sent ends it.
 *
 * @module
 */
import { Numbered, SIZE } from "./numbered.ts";
import { linesOf } from "../bench/protocol.ts";

/** What it can be told. */
export type Order =
  /** Opens so many connections to a port of this machine, besides those that are open. */
  | { readonly do: "open"; readonly port: number; readonly connections: number }
  /** Sends messages by all connections in turn, in batches of `width`. */
  | { readonly do: "echo"; readonly messages: number; readonly width: number }
  /** Ends all connections, and waits for the server to end them too. */
  | { readonly do: "close" };

/** What it answers; times are milliseconds. */
export interface Done {
  readonly elapsed: number;
  /** Of the messages, where some were sent. */
  readonly latencies?: Latencies;
}

/** How long the messages took, in milliseconds. */
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Connections that are being opened at a time. */
const AT_ONCE = 256;
/** A batch that takes longer than this has lost something. Milliseconds. */
const STALL = 20_000;
/** Loopback addresses to connect to: each has ports of its own. */
const HOSTS = 8;

class Client {
  readonly #conn: Deno.TcpConn;
  readonly #buffer = new Uint8Array(SIZE);
  readonly #message: Numbered;

  constructor(conn: Deno.TcpConn, who: number) {
    this.#conn = conn;
    this.#message = new Numbered(who, this.#buffer);
  }

  async echo(): Promise<void> {
    const { bytes } = this.#message;
    this.#message.next();
    for (let done = 0; done < SIZE;) {
      done += await this.#conn.write(done === 0 ? bytes : bytes.subarray(done));
    }
    for (let got = 0; got < SIZE;) {
      const n = await this.#conn.read(got === 0 ? this.#buffer : this.#buffer.subarray(got));
      if (n === null) throw new Error("the server ended a connection");
      got += n;
    }
    this.#message.check();
  }

  async close(): Promise<void> {
    await this.#conn.closeWrite();
    const n = await this.#conn.read(this.#buffer);
    if (n !== null) throw new Error(`${n} bytes came that were never sent`);
    this.#conn.close();
  }
}

const clients: Client[] = [];
let opened = 0;

/** Does the same so many times, some at a time. */
async function times(count: number, width: number, work: (i: number) => Promise<void>) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, worker));
}

async function open(port: number, count: number): Promise<void> {
  await times(count, AT_ONCE, async () => {
    const who = opened++;
    const conn = await Deno.connect({ hostname: `127.0.0.${1 + who % HOSTS}`, port });
    conn.setNoDelay(true);
    clients.push(new Client(conn, who));
  });
}

/** All of a batch are under way together; the next one begins when the last of them came back. */
async function echo(messages: number, width: number): Promise<Float32Array> {
  const latencies = new Float32Array(messages);
  let next = 0;
  const one = async (number: number) => {
    const start = performance.now();
    await clients[number % clients.length]?.echo();
    latencies[number] = performance.now() - start;
  };
  let seen = -1;
  const watch = setInterval(() => {
    if (seen === next) throw new Error(`lost: no batch has come back whole for ${STALL} ms`);
    seen = next;
  }, STALL);
  while (next < messages) {
    const batch: Promise<void>[] = [];
    while (batch.length < width && next < messages) batch.push(one(next++));
    await Promise.all(batch);
  }
  clearInterval(watch);
  return latencies;
}

function summary(latencies: Float32Array): Latencies {
  latencies.sort();
  const at = (part: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
}

async function obey(order: Order): Promise<Done> {
  const start = performance.now();
  const elapsed = () => performance.now() - start;
  switch (order.do) {
    case "open":
      await open(order.port, order.connections);
      return { elapsed: elapsed() };
    case "echo": {
      const latencies = await echo(order.messages, Math.min(order.width, clients.length));
      return { elapsed: elapsed(), latencies: summary(latencies) };
    }
    case "close":
      await Promise.all(clients.splice(0).map((client) => client.close()));
      return { elapsed: elapsed() };
  }
}

console.log("ready");
for await (const line of linesOf(Deno.stdin.readable)) {
  // Not awaited, so that the end of the input is seen while an order hangs; an error ends the process.
  obey(JSON.parse(line)).then((done) => console.log(JSON.stringify(done)));
}
Deno.exit(0);
