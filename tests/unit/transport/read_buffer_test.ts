import { assert, assertEquals } from "@std/assert";
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
