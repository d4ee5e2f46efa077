/** The bytes of each framing, and what it refuses. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { delimiter, type Framing, jsonLines, lengthPrefixed, lines, netstring } from "@p2pd/pipes";
import { bytes, latin1, readPieces, SAMPLES } from "./framings.ts";

const encode = (framing: Framing, message: string | Uint8Array) =>
  latin1(framing.encode(typeof message === "string" ? bytes(message) : message));

/** What a stream that came in one piece gives. */
function read(framing: Framing, stream: string): readonly (string | undefined)[] {
  const raw = Uint8Array.from(stream, (char) => char.charCodeAt(0));
  const { messages, error } = readPieces(framing, raw.length === 0 ? [] : [raw]);
  return error === undefined ? messages : [...messages, error];
}

Deno.test("lines: LF and CR LF end a line, the last one needs no end", () => {
  const framing = lines();
  assertEquals(encode(framing, "abc"), "abc\n");
  assertEquals(encode(framing, ""), "\n");
  assertEquals(encode(framing, "a\rb"), "a\rb\n");
  assertEquals(read(framing, "a\nb\r\n\n\r\nc\rd\r\r\nend"), ["a", "b", "", "", "c\rd\r", "end"]);
  assertEquals(read(framing, "a\nend\r"), ["a", "end"]);
  assertEquals(read(framing, ""), []);
  for (const text of ["a\nb", "\n", "a\r", "\r", "a\r\n"]) {
    assertThrows(() => framing.encode(bytes(text)), TypeError, "data: has an end of line in it");
  }
});

Deno.test("delimiter: one byte or several, and nothing that would be cut elsewhere", () => {
  assertEquals(encode(delimiter("\0"), "a\nb"), "a\nb\0");
  assertEquals(
    encode(delimiter(new Uint8Array([255, 254])), new Uint8Array([255])),
    "\xff\xff\xfe",
  );
  assertEquals(read(delimiter("\r\n"), "a\r\n\r\nb\n\r\n\r\r\n"), ["a", "", "b\n", "\r"]);
  assertEquals(read(delimiter("aab"), "aaabaab"), ["a", ""]);
  for (
    const [mark, message] of [["\0", "a\0b"], ["\r\n", "\r\n"], ["aa", "ba"], [
      "abab",
      "xab",
    ]] as const
  ) {
    assertThrows(
      () => delimiter(mark).encode(bytes(message)),
      TypeError,
      "data: has the delimiter",
    );
  }
  assertEquals(encode(delimiter("abab"), "xabx"), "xabxabab");
  const [, end] = read(delimiter("\r\n"), "a\r\nb\r");
  assert(end?.includes("delimiter(): the input ended within a message, after 2 bytes"), end);
  // A copy of the delimiter.
  const mark = new Uint8Array([1]);
  const framing = delimiter(mark);
  mark[0] = 2;
  assertEquals(encode(framing, ""), "\x01");
});

Deno.test("lengthPrefixed: the length in network order, or as a varint", () => {
  assertEquals(encode(lengthPrefixed(1), "abc"), "\x03abc");
  assertEquals(encode(lengthPrefixed(2), "abc"), "\0\x03abc");
  assertEquals(encode(lengthPrefixed(4), ""), "\0\0\0\0");
  assertEquals(encode(lengthPrefixed(2), new Uint8Array(258)).slice(0, 2), "\x01\x02");
  assertEquals(encode(lengthPrefixed(4), new Uint8Array(66_051)).slice(0, 4), "\0\x01\x02\x03");
  const varint = lengthPrefixed("varint");
  const heads = [[0, "\0"], [127, "\x7f"], [128, "\x80\x01"], [300, "\xac\x02"]] as const;
  for (const [length, head] of heads) {
    assertEquals(encode(varint, new Uint8Array(length)).slice(0, -length || undefined), head);
  }
  assertEquals(encode(varint, new Uint8Array(1_000_000)).slice(0, 3), "\xc0\x84\x3d");
  // Longer than need be, as some writers do who fill it in later.
  assertEquals(read(varint, "\x82\x80\x80\x80\0ab\0"), ["ab", ""]);
  const [endless] = read(varint, "\x80\x80\x80\x80\x80\x01");
  assert(endless?.includes("the peer sent a length of more than 5 bytes"), endless);
});

Deno.test("lengthPrefixed: a huge length is refused at once, and takes no memory", () => {
  for (
    const [framing, head] of [
      [lengthPrefixed(4), "\xff\xff\xff\xff"],
      [lengthPrefixed("varint"), "\xff\xff\xff\xff\x0f"],
      [lengthPrefixed(2, { max: 10 }), "\0\x0b"],
    ] as const
  ) {
    const [error] = read(framing, head);
    assert(error?.includes("longer than the maximum of"), error);
  }
  // A permitted one takes memory as it comes.
  const before = Deno.memoryUsage();
  const framing = lengthPrefixed(4, { max: 2 ** 31 });
  assertEquals(readPieces(framing, [new Uint8Array([127, 0, 0, 0, 1])]).held, 5);
  assert(Deno.memoryUsage().external - before.external < 1e6);
});

Deno.test("netstring: the format, to the letter", () => {
  const framing = netstring();
  assertEquals(encode(framing, "hello world!"), "12:hello world!,");
  assertEquals(encode(framing, ""), "0:,");
  assertEquals(read(framing, "3:a,b,0:,12:hello world!,"), ["a,b", "", "hello world!"]);
  for (
    const wrong of ["03:abc,", "00:,", ":,", "-1:,", " 3:abc,", "3 :abc,", "x", "1a:", "+1:a,"]
  ) {
    const [error] = read(framing, wrong);
    assert(error?.includes("netstring(): the peer sent something else in place of"), wrong);
  }
  const [comma] = read(framing, "3:abcd");
  assert(comma?.includes("does not end with a comma"), comma);
  const [long] = read(netstring({ max: 99 }), "100:");
  assert(long?.includes("longer than the maximum of 99 bytes"), long);
  const [endless] = read(framing, "9".repeat(100));
  assert(endless?.includes("longer than the maximum of 1048576 bytes"), endless);
});

Deno.test("jsonLines: what comes is JSON, what goes is one line", () => {
  const framing = jsonLines();
  assertEquals(encode(framing, '{"a":1}'), '{"a":1}\n');
  assertEquals(
    encode(framing, '{\n  "a": "\\n",\r\n  "b": []\n}\n'),
    '{   "a": "\\n",    "b": [] } \n',
  );
  assertEquals(read(framing, '{"a":1}\n\n  \t\r\n[2]\r\n"x"'), ['{"a":1}', "[2]", '"x"']);
  assertEquals(read(framing, "1\n "), ["1"]);
  for (const text of ["", "{", "a", "{'a':1}", "1 2", "NaN", "\u00a0", " \n"]) {
    assertThrows(() => framing.encode(bytes(text)), TypeError, "data: is no JSON text in UTF-8");
  }
  const invalid = new Uint8Array([34, 0xff, 34]);
  assertThrows(() => framing.encode(invalid), TypeError, "no JSON");
  for (const wrong of ["{secret\n", '"\xff"\n', "1\n{", "\u00a0\n"]) {
    const error = read(framing, wrong).at(-1) ?? "";
    assert(error.includes("jsonLines(): the peer sent a line that is no JSON"), error);
    assert(!error.includes("secret"));
  }
  // As deep as it fits: a parser that calls itself would fail in another way.
  const deep = "[".repeat(500_000) + "]".repeat(500_000);
  assertEquals(read(framing, `${deep}\n`).length, 1);
});

Deno.test("max: a message of just so many bytes passes both ways, one more neither", () => {
  for (const { name, framing: make } of SAMPLES) {
    const framing = make({ max: 10 });
    const text = (size: number) => name === "jsonLines()" ? "1".repeat(size) : "x".repeat(size);
    assertEquals(read(framing, encode(framing, text(10))), [text(10)], name);
    assertThrows(
      () => framing.encode(bytes(text(11))),
      RangeError,
      "data: a message of 11 bytes is longer than the maximum of",
      name,
    );
    const [error] = read(framing, encode(make({ max: 11 }), text(11)));
    assert(
      error?.includes("the peer sent a message that is longer than the maximum of 10 "),
      error,
    );
    // Without an end, too.
    const [endless] = read(framing, encode(make({ max: 100 }), text(90)).slice(0, 60));
    assert(endless?.includes("longer than the maximum of 10 bytes"), `${name}: ${endless}`);
  }
  const [last] = read(lines({ max: 3 }), "abcd");
  assert(last?.includes("longer than the maximum of 3 bytes"), last);
  assertEquals(read(lines({ max: 3 }), "abc\r\nabc\r"), ["abc", "abc"]);
});

Deno.test("framings: arguments are checked, and the result is frozen", () => {
  for (const { name, framing } of SAMPLES) {
    assert(Object.isFrozen(framing()), name);
    assertThrows(() => framing({ max: 0 }), RangeError, "max: must be a whole number of 1 or more");
    assertThrows(() => framing({ max: 1.5 }), RangeError, "max:");
    // @ts-expect-error no number
    assertThrows(() => framing({ max: "9" }), TypeError, "max: a whole number is needed");
    // @ts-expect-error no option
    assertThrows(() => framing({ maximum: 9 }), TypeError, 'there is no "maximum"');
  }
  assertThrows(() => delimiter(""), RangeError, "bytes: at least one byte");
  // @ts-expect-error no bytes
  assertThrows(() => delimiter(7), TypeError, "bytes: a Uint8Array or a string is needed");
  // @ts-expect-error no such prefix
  assertThrows(() => lengthPrefixed(3), TypeError, 'prefix: 1, 2, 4 or "varint" is needed, got 3');
  assertThrows(() => lengthPrefixed(1, { max: 256 }), RangeError, "can say lengths up to 255");
  assertThrows(() => lengthPrefixed("varint", { max: 2 ** 32 }), RangeError, "up to 4294967295");
  assertEquals(lengthPrefixed(1).maxFrame, 256);
});
