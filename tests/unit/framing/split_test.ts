/** The network may cut a stream anywhere: framings must not be able to tell. */
import { assert, assertEquals } from "@std/assert";
import type { Framing } from "@p2pd/pipes";
import { Random } from "../../helpers/random.ts";
import {
  bytes,
  cut,
  latin1,
  readPieces,
  type Sample,
  sampleOf,
  SAMPLES,
  streamOf,
} from "./framings.ts";
import { fuzz } from "./fuzz.ts";

function forEachFraming(name: string, test: (sample: Sample) => void): void {
  for (const sample of SAMPLES) Deno.test(`${sample.name}: ${name}`, () => test(sample));
}

forEachFraming("what was encoded comes out again, however the stream is cut", (sample) => {
  const random = new Random(1);
  const framing = sample.framing();
  for (let round = 0; round < 30; round++) {
    const { messages, stream } = streamOf(sample, random, 20, round < 20 ? 12 : 255);
    const expected = messages.map(latin1);
    for (const most of [1, 2, 3, 7, 100, stream.length]) {
      const { messages, error } = readPieces(framing, cut(stream, random, most));
      assertEquals(error, undefined);
      assertEquals(messages, expected);
    }
  }
});

forEachFraming("every cut of a stream in two gives the same", (sample) => {
  const { messages, stream } = streamOf(sample, new Random(2), 8, 20);
  const framing = sample.framing(), expected = messages.map(latin1);
  for (let at = 0; at <= stream.length; at++) {
    const pieces = [stream.slice(0, at), stream.slice(at)].filter(({ length }) => length > 0);
    assertEquals(readPieces(framing, pieces).messages, expected, `cut at ${at}`);
  }
});

Deno.test("mutated streams: the same in any cut, and nothing held beyond the maximum", () => {
  fuzz(10_000, 3);
});

Deno.test("a framing of one's own that keeps no promise is found out, and comes to an end", () => {
  const mark = new Uint8Array(1);
  const wrong: readonly (readonly [unknown, string])[] = [
    [{ message: mark, size: 0 }, "size must be a whole number of 1 to 3, got 0"],
    [{ message: mark, size: 4 }, "size must be"],
    [{ message: mark, size: 1.5 }, "size must be"],
    [{ message: "text", size: 1 }, "message must be a Uint8Array"],
    [{}, "size must be"],
    [undefined, "{ message, size } or null is needed, got undefined"],
    [7, "is needed, got 7"],
  ];
  for (const [frame, why] of wrong) {
    const framing = { name: "mine", encode: (data: Uint8Array) => data, decode: () => frame };
    // @ts-expect-error what only JavaScript lets pass
    const { error = "" } = readPieces(framing, [bytes("abc")]);
    assert(error.includes("mine.decode: ") && error.includes(why), error);
  }
});

Deno.test("a framing of one's own: null hides a frame, no whole one is bounded, the end has a say", () => {
  const framing: Framing = {
    maxFrame: 4,
    encode: (data) => data,
    // A digit says how many bytes follow; 0 is a keep-alive.
    decode(bytes) {
      const size = 1 + (bytes[0] ?? 0) - 48;
      if (bytes.length < size) return null;
      return { message: size === 1 ? null : bytes.subarray(1, size), size };
    },
  };
  const read = (text: string, more: Partial<Framing> = {}) =>
    readPieces({ ...framing, ...more }, cut(bytes(text), new Random(4), 2));
  assertEquals(read("02ab001c0").messages, ["ab", "c"]);
  assertEquals(read("3abc").messages, ["abc"]);
  const { messages, error } = read("1a4abcd1b");
  assertEquals(messages, ["a"]);
  assert(error?.includes("conf.framing: the peer sent a message that is longer than the maximum"));
  const none = readPieces(
    { ...framing, decode: () => null },
    cut(bytes("x".repeat(99)), new Random(4), 1),
  );
  assertEquals([none.error, none.held], [error, 3]);
  // In one piece, too.
  assertEquals(readPieces(framing, [bytes("1a4abcd1b")]).error, error);
  assert(read("1a3x").error?.includes("the input ended within a message, after 2 bytes"));
  assertEquals(read("1a3x", { decodeEnd: () => null }), {
    messages: ["a"],
    error: undefined,
    held: 2,
  });
  assertEquals(read("1a3x", { decodeEnd: (rest) => rest }).messages, ["a", "3x"]);
});

for (const name of ["lines()", 'delimiter("aab")', 'lengthPrefixed("varint")', "jsonLines()"]) {
  Deno.test(`${name}: a slow drip costs each byte a bounded number of looks and copies`, () => {
    const size = 300_000;
    const framing = sampleOf(name).framing({ max: size });
    const stream = framing.encode(bytes(`"${"x".repeat(size - 2)}"`));
    const start = performance.now();
    const { messages } = readPieces(framing, cut(stream, new Random(5), 1));
    assertEquals(messages.map(({ length }) => length), [size]);
    // Some 300 ms; if each piece were searched or copied with all before it, 45 billion bytes: seconds.
    assert(performance.now() - start < 2500);
  });
}
