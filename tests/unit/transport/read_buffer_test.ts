import { assert, assertEquals, assertThrows } from "@std/assert";
import { ReadBuffer } from "../../../lib/transport/read_buffer.ts";

/** Reads that fill the buffer. */
function fill(buffer: ReadBuffer): Uint8Array {
  return buffer.take(buffer.bytes.length);
}

Deno.test("read buffer: filled ones grow to 64 KiB, and further where they come back from a relay", () => {
  const buffer = new ReadBuffer();
  const sizes = Array.from({ length: 6 }, () => fill(buffer).length);
  assertEquals(sizes, [2, 8, 32, 64, 64, 64].map((kib) => kib * 1024));
  buffer.recycle(fill(buffer), false);
  fill(buffer);
  assertEquals(buffer.bytes.length, 64 * 1024);
  buffer.recycle(fill(buffer), true);
  fill(buffer);
  assertEquals(buffer.bytes.length, 256 * 1024);
});

Deno.test("read buffer: what comes back while nothing is read is all read into again", () => {
  const buffer = new ReadBuffer();
  for (let i = 0; i < 6; i++) buffer.recycle(fill(buffer), true);
  const used = new Set<ArrayBufferLike>();
  for (let round = 0; round < 10; round++) {
    // Two are on their way at once: the second is read before the first has been written.
    const both = [fill(buffer), fill(buffer)];
    for (const data of both) {
      used.add(data.buffer);
      buffer.recycle(data, true);
    }
  }
  assertEquals(used.size, 3);
});

Deno.test("read buffer: small messages are copies, and a short read of a big buffer is one too", () => {
  const buffer = new ReadBuffer();
  for (let i = 0; i < 4; i++) fill(buffer);
  const place = buffer.bytes.buffer;
  for (const size of [1, 100, 20_000]) {
    buffer.bytes.fill(size & 255);
    const data = buffer.take(size);
    buffer.bytes.fill(9);
    assertEquals([data.length, data.at(-1)], [size, size & 255]);
    assert(data.buffer !== place);
  }
});

Deno.test("read buffer: when nothing comes back any more the long buffers of a relay are given up", () => {
  const buffer = new ReadBuffer();
  for (let i = 0; i < 10; i++) buffer.recycle(fill(buffer), true);
  assertEquals(buffer.bytes.length, 256 * 1024);
  const kept = Array.from({ length: 100 }, () => buffer.take(20_000));
  assertEquals(buffer.bytes.length, 64 * 1024);
  const bytes = kept.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  assert(bytes < 100 * 20_000 + 10 * 256 * 1024, `${bytes} bytes`);
});

Deno.test("read buffer: memory that was transferred is not read into", () => {
  const buffer = new ReadBuffer();
  for (let i = 0; i < 4; i++) fill(buffer);
  const returned = [fill(buffer), fill(buffer)];
  for (const data of returned) buffer.recycle(data, false);
  for (const data of returned) structuredClone(data, { transfer: [data.buffer as ArrayBuffer] });
  for (let i = 0; i < 3; i++) assertEquals(fill(buffer).length, 64 * 1024);
  structuredClone(buffer.bytes, { transfer: [buffer.bytes.buffer as ArrayBuffer] });
  assertThrows(() => buffer.take(1), TypeError, "only lent");
});
