import { assert } from "@std/assert/assert";
import { assertEquals } from "@std/assert/equals";
import type { Transport } from "../../transport/transport.ts";
import { digestOf } from "./hash.ts";
import { settles, turns } from "./turns.ts";
import { clog, connected, failure, readAll, readBytes } from "./pair.ts";
import type { Obligation, StreamSubject } from "./subject.ts";

const never = () => {
  throw new Error("there was nothing to read");
};

/** What holds after a close of any kind. */
async function assertClosed(transport: Transport): Promise<void> {
  assertEquals((await failure(transport.send(new Uint8Array(1)))).fault, "closed");
  assertEquals((await failure(transport.send(new Uint8Array(0)))).fault, "closed");
  assertEquals(await transport.pull(never), "end");
}

/** Closes and aborts from this side. */
export const streamClosing: readonly Obligation<StreamSubject>[] = [
  {
    name: "close during a pull ends it without an error",
    async check(subject) {
      await using pair = await connected(subject);
      let ended = false;
      const pulling = pair.own.pull(never).finally(() => ended = true);
      await turns(2);
      await pair.own.close();
      assert(ended, "close returned with a read still in progress");
      assertEquals(await pulling, "end");
      await assertClosed(pair.own);
      assertEquals(await pair.peer.pull(never), "end");
    },
  },
  {
    name: "abort during a pull ends it without an error",
    async check(subject) {
      await using pair = await connected(subject);
      const pulling = pair.own.pull(never);
      await turns(2);
      pair.own.abort();
      assertEquals(await pulling, "end");
      await assertClosed(pair.own);
    },
  },
  {
    name: "close without a pull: sends and pulls after it",
    async check(subject) {
      await using pair = await connected(subject);
      const closing = pair.own.close();
      assertEquals((await failure(pair.own.send(new Uint8Array(1)))).fault, "closed");
      await closing;
      await assertClosed(pair.own);
      assertEquals((await failure(Promise.resolve(pair.own.closeWrite?.()))).fault, "closed");
    },
  },
  {
    name: "close flushes what was sent, and the peer sees the end",
    async check(subject) {
      await using pair = await connected(subject);
      const pieces = Array.from({ length: 30 }, (_, i) => new Uint8Array(i * 9000).fill(i));
      const sent = Promise.all(pieces.map((piece) => pair.own.send(piece)));
      const closing = pair.own.close();
      assertEquals(digestOf(await readAll(pair.peer)), digestOf(...pieces));
      await Promise.all([sent, closing]);
    },
  },
  {
    name: "close does not truncate what was sent because input is left unread",
    async check(subject) {
      for (const pulling of [false, true]) {
        await using pair = await connected(subject);
        // No more than the system holds for a reader: what is still on its way later does reset.
        await pair.peer.send(new Uint8Array(50_000));
        const pieces = Array.from({ length: 30 }, (_, i) => new Uint8Array(60_000).fill(i));
        const sent = Promise.all(pieces.map((piece) => pair.own.send(piece)));
        const pull = pulling ? pair.own.pull(() => true) : undefined;
        const closing = pair.own.close();
        // Slower than the sender: most of it is still under way when the connection is closed.
        const head = await readBytes(pair.peer, 100_000);
        await turns(5);
        const tail = await readAll(pair.peer);
        assertEquals(digestOf(head, tail), digestOf(...pieces), `with a pull: ${pulling}`);
        await Promise.all([sent, closing, pull]);
      }
    },
  },
  {
    name: "close and abort are idempotent, in any mix",
    async check(subject) {
      type Act = (of: Transport) => unknown;
      const close: Act = (of) => of.close();
      const abort: Act = (of) => of.abort(new Error("why"));
      const mixes = [
        [close, close],
        [abort, abort],
        [close, abort, close],
        [abort, close, abort],
        [close, abort, abort, close, close],
      ];
      for (const mix of mixes) {
        await using pair = await connected(subject);
        const pulling = pair.own.pull(() => true);
        await Promise.all(mix.map((act) => act(pair.own)));
        assertEquals(await pulling, "end");
        for (const act of mix) await act(pair.own);
        await assertClosed(pair.own);
      }
    },
  },
  {
    name: "close waits for a peer that does not read; abort lets both finish",
    async check(subject) {
      await using pair = await connected(subject);
      const { pending } = await clog(pair.own);
      const queued = pair.own.send(new Uint8Array(10));
      const failed = Promise.all([failure(pending), failure(queued)]);
      const closing = pair.own.close();
      assertEquals(await settles(closing, 5), false, "close did not wait for the sends");
      pair.own.abort();
      for (const error of await failed) assertEquals(error.fault, "closed");
      await closing;
      await assertClosed(pair.own);
    },
  },
  {
    name: "a pull goes on while close waits for sends, and ends with it",
    async check(subject) {
      await using pair = await connected(subject);
      const { sent, pending } = await clog(pair.own);
      const arrived = Promise.withResolvers<Uint8Array>();
      const pulling = pair.own.pull((chunk) => {
        arrived.resolve(chunk);
        return true;
      });
      const closing = pair.own.close();
      await turns(2);
      await pair.peer.send(new Uint8Array([1, 2, 3]));
      assertEquals(await arrived.promise, new Uint8Array([1, 2, 3]));
      assertEquals(digestOf(await readAll(pair.peer)), digestOf(...sent));
      await Promise.all([closing, pending]);
      assertEquals(await pulling, "end");
    },
  },
  {
    name: "abort ends a send and a pull in progress",
    async check(subject) {
      await using pair = await connected(subject);
      const { pending } = await clog(pair.own);
      const pulling = pair.own.pull(never);
      const queued = failure(pair.own.send(new Uint8Array(10)));
      const end = failure(Promise.resolve(pair.own.closeWrite?.()));
      pair.own.abort(new Error("why"));
      assertEquals((await failure(pending)).fault, "closed");
      assertEquals((await queued).fault, "closed");
      assertEquals((await end).fault, "closed");
      assertEquals(await pulling, "end");
      await pair.own.close();
    },
  },
  {
    name: "a close or abort by the sink ends the pull, and the sink gets nothing more",
    async check(subject) {
      for (const how of ["close", "abort"] as const) {
        await using pair = await connected(subject);
        let calls = 0;
        let closing: Promise<void> | undefined;
        const pulling = pair.own.pull(() => {
          calls++;
          if (how === "close") closing = pair.own.close();
          else pair.own.abort();
          return how === "close";
        });
        await pair.peer.send(new Uint8Array(1));
        await pulling;
        await closing;
        const before = calls;
        await pair.peer.send(new Uint8Array(1)).catch(() => {});
        await turns(2);
        assertEquals(calls, before, `after a ${how}`);
        assert(calls >= 1);
        await assertClosed(pair.own);
      }
    },
  },
];
