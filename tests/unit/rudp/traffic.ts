import { assert, assertEquals } from "@std/assert";
import { digestOf } from "../../helpers/hash.ts";
import { Random } from "../../helpers/random.ts";
import { Simulator, type Weather } from "./simulator.ts";

/** What a run showed. */
export interface Report {
  /** Messages that were given up. */
  readonly failed: number;
  /** Packets, for each message. */
  readonly packets: number;
  /** Simulated seconds. */
  readonly seconds: number;
  readonly duplicates: number;
}

/** Numbered messages of 4 to 1200 bytes, and what arrived of them. */
export class Numbered {
  readonly #digests: string[] = [];
  readonly #counts: number[] = [];
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** The next message. */
  make(): Uint8Array {
    const data = this.#random.bytes(4 + this.#random.below(1197));
    new DataView(data.buffer).setUint32(0, this.#digests.length);
    this.#digests.push(digestOf(data));
    return data;
  }

  /** One arrived. */
  take(data: Uint8Array): void {
    const index = new DataView(data.buffer, data.byteOffset).getUint32(0);
    assertEquals(digestOf(data), this.#digests[index], `message ${index}`);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  /** Whether one arrived exactly once. */
  once(index: number): boolean {
    return this.#counts[index] === 1;
  }

  /** Whether any arrived more than once. */
  get twice(): boolean {
    return this.#counts.some((count) => count > 1);
  }
}

/** Sends many messages through a network, some hundred under way or waiting at a time. */
export function traffic(count: number, seed: number, weather: Weather): Report {
  const net = new Simulator(seed, weather);
  const a = net.host("10.0.0.1"), b = net.host("10.0.0.2");
  const messages = new Numbered(seed + 1);
  b.onMessage = (message) => {
    messages.take(message);
    return true;
  };
  const acknowledged: number[] = [];
  let sent = 0, failed = 0, most = 0;
  const send = () => {
    const index = sent++;
    net.send(a, b, messages.make(), (error) => {
      if (error === undefined) {
        // Nothing is acknowledged that has not arrived.
        assert(messages.once(index), `message ${index}`);
        acknowledged.push(index);
      } else failed++;
      most = Math.max(most, b.engine.size.blocks);
      if (sent < count) net.after(0, send);
    });
  };
  for (let i = 0; i < Math.min(count, 300); i++) send();
  net.run();
  assertEquals(acknowledged.length + failed, count);
  assert(acknowledged.every((index) => messages.once(index)), "all acknowledged arrived once");
  assert(!messages.twice, "none arrived twice");
  assert(most <= 2048, `${most} blocks of numbers for one peer`);
  return {
    failed,
    packets: net.packets / count,
    seconds: net.now / 1000,
    duplicates: b.duplicates,
  };
}
