import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import type { NetAddr } from "../../lib/pipe/types.ts";
import { LARGE, Slab } from "../../lib/transport/buffers.ts";
import { Inbox } from "../../lib/transport/inbox.ts";
import { inputQuiet } from "../../lib/transport/linger.ts";

const from: NetAddr = { transport: "udp", hostname: "127.0.0.1", port: 9 };

Deno.test("kept data is apart from its source and from what was kept before", () => {
  const slab = new Slab();
  const source = new Uint8Array(100);
  const kept = Array.from({ length: 3000 }, (_, i) => {
    source.fill(i);
    return slab.keep(source.subarray(0, i % 101));
  });
  source.fill(0xee);
  for (const [i, data] of kept.entries()) {
    assertEquals(data, new Uint8Array(i % 101).fill(i));
    assertEquals(data.byteOffset % 8, 0, "can be viewed as 64-bit numbers");
  }
});

Deno.test("small messages share memory, large ones have their own", () => {
  const slab = new Slab();
  assertStrictEquals(slab.keep(new Uint8Array(1)).buffer, slab.keep(new Uint8Array(1)).buffer);
  const large = slab.keep(new Uint8Array(LARGE));
  assertEquals(large.buffer.byteLength, LARGE);
  assertEquals(slab.keep(new Uint8Array(LARGE - 1)).length, LARGE - 1);
});

Deno.test("memory for messages is as long as it is soon used up", () => {
  const slab = new Slab(), message = new Uint8Array(256);
  let now = 1e6;
  const sizes = (count: number, every: number) =>
    Array.from({ length: count }, () => {
      now += every;
      return slab.keep(message).buffer.byteLength;
    });
  Object.defineProperty(performance, "now", { configurable: true, value: () => now });
  try {
    assertEquals(sizes(3, 60_000), [512, 512, 512], "one of those that say little");
    assertEquals(Math.max(...sizes(1000, 1)), 16 * 1024, "one of many");
    assertEquals(Math.max(...sizes(5000, 0.01)), 64 * 1024, "a busy one");
    sizes(256, 1);
    assertEquals(Math.max(...sizes(1000, 1)), 16 * 1024, "and no longer");
    sizes(64, 1000);
    assertEquals(Math.max(...sizes(30, 60_000)), 512, "silent again");
  } finally {
    Reflect.deleteProperty(performance, "now");
  }
});

Deno.test("a Node Buffer is kept as a plain Uint8Array, copied at every size", () => {
  const slab = new Slab();
  for (const size of [0, 3, LARGE]) {
    const buffer = Buffer.alloc(size, 1);
    const kept = slab.keep(buffer);
    assertStrictEquals(Object.getPrototypeOf(kept), Uint8Array.prototype);
    buffer.fill(2);
    assertEquals(kept, new Uint8Array(size).fill(1));
  }
});

Deno.test("a slab that was transferred away is replaced", () => {
  const slab = new Slab();
  const lost = slab.keep(new Uint8Array([1, 2, 3])).buffer;
  structuredClone(lost, { transfer: [lost as ArrayBuffer] });
  const kept = slab.keep(new Uint8Array([4, 5, 6]));
  assertEquals(kept, new Uint8Array([4, 5, 6]));
  assertNotStrictEquals(kept.buffer, lost);
});

Deno.test("who transfers the memory of an empty message does no harm to the next one", () => {
  const slab = new Slab();
  for (const size of [0, 0, 3, 0, 3]) {
    const { buffer } = slab.keep(new Uint8Array(size));
    structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    assertEquals(slab.keep(new Uint8Array(size).fill(size)), new Uint8Array(size).fill(size));
  }
});

Deno.test("an inbox hands over in order, and stops when told", () => {
  const inbox = new Inbox(), got: number[] = [];
  for (const n of [1, 2, 3]) inbox.push(new Uint8Array([n]), from);
  const one = (data: Uint8Array) => got.push(data[0] ?? 0) > 3;
  assertEquals(inbox.empty(one), false);
  assertEquals(got, [1]);
  assertEquals(inbox.empty((data) => got.push(data[0] ?? 0) > 0), true);
  assertEquals(got, [1, 2, 3]);
  inbox.push(new Uint8Array([4]), from);
  inbox.clear();
  assertEquals(inbox.empty(() => false), true);
});

Deno.test("an inbox holds 2 MiB, tiny datagrams counted as 64 bytes, and drops the oldest", () => {
  for (const [size, fit] of [[65_536, 32], [0, 32_768], [100, 20_971]] as const) {
    const inbox = new Inbox();
    const data = new Uint8Array(size);
    for (let i = 0; i < fit + 5; i++) inbox.push(data, { ...from, port: i });
    const ports: number[] = [];
    inbox.empty((_, { port }) => ports.push(port) > 0);
    assertEquals(ports.length, fit);
    assertEquals(ports[0], 5);
    assert(ports.every((port, i) => port === i + 5));
  }
});

Deno.test("the input is quiet when no read came for a turn, or when there is none any more", async () => {
  const asked = async (answers: (number | undefined)[]) => {
    let count = 0;
    await inputQuiet(1, () => answers[count++]);
    return count;
  };
  assertEquals(await asked([undefined, 1, 2]), 1);
  assertEquals(await asked([0, 0, 0]), 2);
  assertEquals(await asked([0, 1, 5, 5, 6]), 4);
  assertEquals(await asked([0, 1, undefined, 2]), 3);
  assertEquals(await asked(Array.from({ length: 100 }, (_, i) => i)), 51, "but not for ever");
});

Deno.test("where much was sent the quiet must last, or the peer end", async () => {
  let count = 0;
  await inputQuiet(1_000_000, () => ++count < 5 ? count : undefined);
  assertEquals(count, 5);
  const start = performance.now();
  await inputQuiet(1_000_000, () => 0);
  assert(performance.now() - start > 90);
});
