/**
 * One end of RUDP traffic, in a process of its own. Takes its part as JSON: a receiver prints its address
 * and, when its input ends, what it got; a sender sends and prints what became of it. A message is its
 * index and bytes that follow from that.
 *
 * @module
 */
import { pipeOpen, RUDP } from "@p2pd/pipes";
import { digestOf } from "../../lib/testing/compliance/hash.ts";
import { Random } from "../helpers/random.ts";

/** What to do. */
export type Part =
  | { readonly role: "receiver"; readonly route: string; readonly count: number }
  | {
    readonly role: "sender";
    readonly dest: string;
    readonly count: number;
    /** How many pipes send at a time, and how many messages of each are pending. */
    readonly pipes: number;
    readonly pending: number;
  };

/** What a receiver got: how often each message, by its index, and its checksum. */
export interface Received {
  readonly counts: readonly number[];
  readonly sums: readonly number[];
  readonly duplicates: number;
  /** MB that were held more than after the first tenth, at most. */
  readonly grown: number;
}

/** What a sender sent. */
export interface Sent {
  readonly sums: readonly number[];
  /** The indexes of those whose `send` rejected, and the classes of the errors. */
  readonly failed: readonly number[];
  readonly errors: readonly string[];
  readonly grown: number;
  readonly seconds: number;
}

/** How much of the heap is held after a collection (`--v8-flags=--expose-gc`), each time it is asked. */
class Growth {
  #base = Infinity;
  #most = 0;

  look(): void {
    const collect: unknown = Reflect.get(globalThis, "gc");
    if (typeof collect === "function") collect();
    const { heapUsed, external } = Deno.memoryUsage();
    if (this.#base === Infinity) this.#base = heapUsed + external;
    this.#most = Math.max(this.#most, heapUsed + external - this.#base);
  }

  /** MB more than at the first look. */
  get mb(): number {
    return Math.round(this.#most / 1e5) / 10;
  }
}

/** The checksum of a message. */
function sumOf(data: Uint8Array): number {
  return Number.parseInt(digestOf(data).replace(/^.*:/, ""), 16);
}

function message(index: number): Uint8Array<ArrayBuffer> {
  const random = new Random(index + 1);
  const data = random.bytes(4 + random.below(1197));
  new DataView(data.buffer).setUint32(0, index);
  return data;
}

async function receive({ route, count }: Part & { role: "receiver" }): Promise<void> {
  const counts = new Uint8Array(count), sums = new Uint32Array(count);
  const growth = new Growth();
  let all = 0;
  await using pipe = await pipeOpen(RUDP, {
    route,
    msgCb: (data) => {
      const index = new DataView(data.buffer, data.byteOffset).getUint32(0);
      counts[index] = (counts[index] ?? 0) + 1;
      sums[index] = sumOf(data);
      if (++all % (count / 10) === 0) growth.look();
    },
  });
  console.log(`bound to port ${pipe.localAddr.port}`);
  await Deno.stdin.read(new Uint8Array(1));
  const { duplicates } = pipe.stats;
  const received: Received = {
    counts: [...counts],
    sums: [...sums],
    duplicates,
    grown: growth.mb,
  };
  console.log(JSON.stringify(received));
}

async function send(part: Part & { role: "sender" }): Promise<void> {
  const { dest, count, pipes, pending } = part;
  const sums = new Uint32Array(count), failed: number[] = [], errors = new Set<string>();
  const growth = new Growth(), start = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: pipes }, async () => {
    await using pipe = await pipeOpen(RUDP, { dest });
    await Promise.all(Array.from({ length: pending }, async () => {
      while (next < count) {
        const index = next++, data = message(index);
        sums[index] = sumOf(data);
        await pipe.send(data).catch((error: Error) => {
          failed.push(index);
          errors.add(error.name);
        });
        if (index % (count / 10) !== 0) continue;
        if (index > 0) growth.look();
        console.log("a tenth more");
      }
    }));
  }));
  const seconds = (performance.now() - start) / 1000;
  const sent: Sent = { sums: [...sums], failed, errors: [...errors], grown: growth.mb, seconds };
  console.log(JSON.stringify(sent));
}

if (import.meta.main) {
  const part: Part = JSON.parse(Deno.args[0] ?? "");
  await (part.role === "receiver" ? receive(part) : send(part));
}
