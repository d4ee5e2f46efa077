import { assert, assertEquals } from "@std/assert";
import { concat } from "../../helpers/concat.ts";
import { Random } from "../../helpers/random.ts";
import { cut, readPieces, SAMPLES, streamOf } from "./framings.ts";

/** Changes a few bytes: overwrites, cuts the end off, removes, repeats. */
function mutate(stream: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  let mutant = stream.slice();
  for (let i = random.below(4); i >= 0 && mutant.length > 0; i--) {
    const at = random.below(mutant.length);
    const kind = random.below(4);
    if (kind === 0) mutant[at] = random.below(256);
    else if (kind === 1) mutant = mutant.slice(0, at);
    else if (kind === 2) mutant = concat([mutant.subarray(0, at), mutant.subarray(at + 1)]);
    else mutant = concat([mutant.subarray(0, at), mutant.subarray(random.below(mutant.length))]);
  }
  return mutant;
}

/**
 * Reads streams that were broken on purpose, by all framings in turn: each gives the same in one piece
 * and in small ones, and holds no more than one frame can have.
 */
export function fuzz(streams: number, seed: number): void {
  const random = new Random(seed), max = 24;
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // most of the time otherwise
  let failed = 0;
  for (const sample of SAMPLES) {
    const framing = sample.framing({ max });
    const most = framing.maxFrame ?? 0;
    assert(most > max && most < max + 8, `${sample.name}: ${most}`);
    const whole = Array.from({ length: 50 }, () => streamOf(sample, random, 3, max).stream);
    for (let i = 0; i < streams / SAMPLES.length; i++) {
      const mutant = mutate(whole[i % whole.length] ?? new Uint8Array(), random);
      const once = readPieces(framing, mutant.length === 0 ? [] : [mutant]);
      const pieces = readPieces(framing, cut(mutant, random, 9));
      assertEquals(pieces.messages, once.messages);
      assertEquals(pieces.error, once.error);
      assert(pieces.held < most, `${sample.name}: ${pieces.held} bytes held`);
      if (once.error !== undefined) failed++;
      for (const message of once.messages) assert(message.length <= max);
    }
  }
  Error.stackTraceLimit = stackTraceLimit;
  assert(failed > streams / 10, `${failed} streams were refused`);
}
