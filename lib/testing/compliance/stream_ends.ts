import { assert } from "@std/assert/assert";
import { assertEquals } from "@std/assert/equals";
import { assertStrictEquals } from "@std/assert/strict-equals";
import type { Transport } from "../../transport/transport.ts";
import { digestOf } from "./hash.ts";
import { settles, turns } from "./turns.ts";
import { clog, connected, failure, readAll, readBytes } from "./pair.ts";
import type { Obligation, StreamSubject } from "./subject.ts";

const never = () => {
  throw new Error("there was nothing to read");
};

/** Ends the output, which every stream can. */
async function endOutput(of: Transport): Promise<void> {
  assert(of.closeWrite !== undefined, "a stream without closeWrite");
  await of.closeWrite();
}

/** Sends until it fails, and gives the error. */
async function sendUntilFailure(to: Transport) {
  for (let i = 0; i < 1000; i++) {
    const sending = to.send(new Uint8Array(1000));
    if (await sending.then(() => false, () => true)) return await failure(sending);
    await turns(1);
  }
  throw new Error("sends to a peer that is gone go on succeeding");
}

/** The peer ends: in good order, half way, or by a reset. */
export const streamEnds: readonly Obligation<StreamSubject>[] = [
  {
    name: "end of stream: everything, then the end, again and again",
    async check(subject) {
      await using pair = await connected(subject);
      await pair.peer.send(new Uint8Array([1, 2]));
      await endOutput(pair.peer);
      assertEquals(await readAll(pair.own), new Uint8Array([1, 2]));
      assertEquals(await pair.own.pull(never), "end");
    },
  },
  {
    name: "half-close: a side that ended its output still receives, and each end is the end",
    async check(subject) {
      await using pair = await connected(subject);
      await endOutput(pair.peer);
      assertEquals(await pair.own.pull(never), "end");
      const answer = new Uint8Array(100_000).fill(7);
      const sending = pair.own.send(answer);
      assertEquals(digestOf(await readBytes(pair.peer, answer.length)), digestOf(answer));
      await sending;
      await endOutput(pair.own);
      assertEquals(await pair.peer.pull(never), "end");
    },
  },
  {
    name: "closeWrite comes after what was sent, and is idempotent",
    async check(subject) {
      await using pair = await connected(subject);
      const pieces = Array.from({ length: 20 }, (_, i) => new Uint8Array(i * 10_000).fill(i));
      const sent = Promise.all(pieces.map((piece) => pair.peer.send(piece)));
      const ends = [endOutput(pair.peer), endOutput(pair.peer)];
      assertEquals(digestOf(await readAll(pair.own)), digestOf(...pieces));
      await Promise.all([sent, ...ends, endOutput(pair.peer)]);
    },
  },
  {
    name: "a send after closeWrite is refused",
    async check(subject) {
      await using pair = await connected(subject);
      const end = endOutput(pair.own);
      assertEquals((await failure(pair.own.send(new Uint8Array(1)))).fault, "closed");
      await end;
      assertEquals((await failure(pair.own.send(new Uint8Array(0)))).fault, "closed");
      assertEquals(await pair.peer.pull(never), "end");
    },
  },
  {
    name: "a reset is no end: it fails the pull in progress and every later one",
    applies: ({ resets = false }) => resets,
    async check(subject) {
      await using pair = await connected(subject);
      const pulling = failure(pair.own.pull(never));
      await turns(2);
      pair.peer.abort();
      assertEquals((await pulling).fault, "reset");
      assertEquals((await failure(pair.own.pull(never))).fault, "reset");
      assertEquals((await sendUntilFailure(pair.own)).fault, "reset");
    },
  },
  {
    name: "a reset while nobody reads fails the next pull",
    applies: ({ resets = false }) => resets,
    async check(subject) {
      await using pair = await connected(subject);
      pair.peer.abort();
      await pair.peer.close();
      assertEquals((await failure(pair.own.pull(() => true))).fault, "reset");
    },
  },
  {
    name: "a reset that a send has met is no end to a later pull",
    applies: ({ resets = false }) => resets,
    async check(subject) {
      await using pair = await connected(subject);
      const { pending } = await clog(pair.own);
      const queued = pair.own.send(new Uint8Array(9));
      const queuedFailure = failure(queued);
      pair.peer.abort();
      assertEquals((await failure(pending)).fault, "reset");
      const met = await queuedFailure;
      assertEquals(met.fault, "reset");
      const later = await failure(pair.own.send(new Uint8Array(1)));
      assertStrictEquals(later, met, "sends after a failure fail alike");
      assertStrictEquals(await failure(endOutput(pair.own)), met);
      assertEquals((await failure(pair.own.pull(() => true))).fault, "reset");
    },
  },
  {
    name: "a peer that closed in good order is an end, also after sends to it have failed",
    async check(subject) {
      await using pair = await connected(subject);
      await pair.peer.send(new Uint8Array([1, 2, 3]));
      await pair.peer.close();
      assertEquals(await readAll(pair.own), new Uint8Array([1, 2, 3]));
      assertEquals((await sendUntilFailure(pair.own)).fault, "reset");
      assertEquals(await settles(pair.own.close()), true);
    },
  },
];
