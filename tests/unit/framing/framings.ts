/**
 * What the tests of framings share: all of them with messages that they can carry, and a reader that is
 * given a stream in pieces.
 *
 * @module
 */
import {
  delimiter,
  type Framing,
  type FramingOptions,
  jsonLines,
  lengthPrefixed,
  lines,
  netstring,
} from "@p2pd/pipes";
import { FrameReader } from "../../../lib/framing/frame_reader.ts";
import { concat } from "../../helpers/concat.ts";
import type { Random } from "../../helpers/random.ts";

const encoder = new TextEncoder();

/** Text as bytes. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Bytes as text, each as the character of that code. */
export function latin1(data: Uint8Array): string {
  let text = "";
  for (const byte of data) text += String.fromCharCode(byte);
  return text;
}

/** A framing and what to try it with. */
export interface Sample {
  readonly name: string;
  /** Makes it. */
  readonly framing: (options?: FramingOptions) => Framing;
  /** A message that it can carry, of at most so many bytes. */
  readonly message: (random: Random, most: number) => Uint8Array;
}

/** Bytes of an alphabet: the fewer there are, the more often what is special is met. */
function text(alphabet: string) {
  return (random: Random, most: number): Uint8Array => {
    const size = random.below(most + 1);
    return bytes(
      Array.from({ length: size }, () => alphabet[random.below(alphabet.length)]).join(""),
    );
  };
}

const any = (random: Random, most: number) => random.bytes(random.below(most + 1));

/** JSON of about that size. */
function json(random: Random, most: number): Uint8Array {
  return bytes(JSON.stringify('{"a\\ü'.repeat(random.below(Math.max(1, most / 16)))));
}

/** All framings. */
export const SAMPLES: readonly Sample[] = [
  { name: "lines()", framing: lines, message: text("ab\t {") },
  { name: 'delimiter("\\0")', framing: (o) => delimiter("\0", o), message: text("ab\r\n") },
  { name: 'delimiter("\\r\\n")', framing: (o) => delimiter("\r\n", o), message: text("ab\n") },
  { name: 'delimiter("aab")', framing: (o) => delimiter("aab", o), message: text("bbbc") },
  { name: "lengthPrefixed(1)", framing: (o) => lengthPrefixed(1, o), message: any },
  { name: "lengthPrefixed(2)", framing: (o) => lengthPrefixed(2, o), message: any },
  { name: "lengthPrefixed(4)", framing: (o) => lengthPrefixed(4, o), message: any },
  { name: 'lengthPrefixed("varint")', framing: (o) => lengthPrefixed("varint", o), message: any },
  { name: "netstring()", framing: netstring, message: any },
  { name: "jsonLines()", framing: jsonLines, message: json },
];

/** The framing of that name. */
export function sampleOf(name: string): Sample {
  const sample = SAMPLES.find((each) => each.name === name);
  if (sample === undefined) throw new Error(`there is no ${name}`);
  return sample;
}

/** Some messages, and the stream that they make. */
export function streamOf(sample: Sample, random: Random, count: number, most: number) {
  const framing = sample.framing();
  const messages = Array.from({ length: count }, () => sample.message(random, most));
  return { messages, stream: concat(messages.map((each) => framing.encode(each))) };
}

/** What a stream comes to. */
export interface Outcome {
  readonly messages: readonly string[];
  /** What was wrong with it. */
  readonly error: string | undefined;
  /** Most bytes that were held. */
  readonly held: number;
}

/** Reads a stream in these pieces, to its end. */
export function readPieces(framing: Framing, pieces: Iterable<Uint8Array>): Outcome {
  const reader = new FrameReader(framing);
  const messages: Uint8Array[] = [];
  const copies: Uint8Array[] = [];
  let held = 0, error: string | undefined;
  const keep = (message: Uint8Array | undefined) => {
    if (message === undefined) return false;
    messages.push(message);
    copies.push(message.slice());
    return true;
  };
  try {
    for (const piece of pieces) {
      reader.push(piece);
      while (keep(reader.next()));
      held = Math.max(held, reader.size);
    }
    keep(reader.last());
  } catch (thrown) {
    error = String(thrown);
  }
  // What was given is not touched any more.
  const same = latin1(concat(messages)) === latin1(concat(copies));
  if (!same) error = "a message was changed later";
  return { messages: messages.map(latin1), error, held };
}

/** Cuts a stream into pieces of at most so many bytes. */
export function* cut(stream: Uint8Array, random: Random, most: number): Generator<Uint8Array> {
  for (let at = 0; at < stream.length;) {
    const size = 1 + random.below(most);
    // A copy, as a transport hands it up.
    yield stream.slice(at, at + size);
    at += size;
  }
}
