/** A framed transport by itself, where a pipe would hide what it does. */
import { assertEquals, assertRejects } from "@std/assert";
import { type Framing, lines, netstring } from "@p2pd/pipes";
import { FramedTransport } from "../../../lib/framing/framed_transport.ts";
import { TransportError } from "../../../lib/transport/error.ts";
import { memoryPair } from "../../../lib/transport/memory.ts";
import { text } from "../../helpers/pipes.ts";
import { turns } from "../../helpers/turns.ts";
import { bytes } from "./framings.ts";

function framedPair(framing: Framing) {
  const [under, peer] = memoryPair();
  return {
    own: new FramedTransport(under, framing),
    peer,
    async [Symbol.asyncDispose]() {
      peer.abort();
      under.abort();
      await Promise.all([peer.close(), under.close()]);
    },
  };
}

Deno.test("framed transport: an interrupt between two messages of a chunk keeps the rest", async () => {
  await using pair = framedPair(lines());
  const { own, peer } = pair;
  await peer.send(bytes("a\nb\nc"));
  const got: unknown[] = [];
  const how = await own.pull((msg) => {
    got.push(text(msg));
    own.interrupt?.();
    return true;
  });
  assertEquals([how, got, own.unread], ["paused", ["a"], 3]);
  // Also while what was kept is handed up, before anything more is read.
  assertEquals(
    await own.pull((msg) => {
      got.push(text(msg));
      own.interrupt?.();
      return true;
    }),
    "paused",
  );
  assertEquals([got, own.unread], [["a", "b"], 1]);
});

Deno.test("framed transport: stopped at the last message, the end is for the next pull", async () => {
  await using pair = framedPair(lines());
  const { own, peer } = pair;
  await peer.send(bytes("a\nlast"));
  await peer.closeWrite?.();
  const got: unknown[] = [];
  const stop = (msg: Uint8Array) => {
    got.push(text(msg));
    return false;
  };
  assertEquals([await own.pull(stop), await own.pull(stop)], ["paused", "paused"]);
  assertEquals([await own.pull(stop), await own.pull(stop)], ["end", "end"]);
  assertEquals(got, ["a", "last"]);
});

Deno.test("framed transport: what is no message fails this pull and every later one", async () => {
  await using pair = framedPair(netstring());
  const { own, peer } = pair;
  await peer.send(bytes("1:a,nonsense"));
  const got: unknown[] = [];
  const sink = (msg: Uint8Array) => got.push(text(msg)) > 0;
  const error = await assertRejects(() => own.pull(sink), TransportError, "netstring()");
  assertEquals([error.fault, got, own.unread], ["failed", ["a"], 0]);
  await peer.send(bytes("1:b,"));
  assertEquals(await assertRejects(() => own.pull(sink), TransportError), error);
  // It can still be sent to, until somebody closes it.
  await own.send(bytes("bye"));
  own.abort();
  assertEquals(await own.pull(sink), "end");
  assertEquals(got, ["a"]);
});

Deno.test("framed transport: while it is closed, nothing that comes can go wrong", async () => {
  await using pair = framedPair(netstring());
  const { own, peer } = pair;
  const got: unknown[] = [];
  const pulling = own.pull((msg) => got.push(text(msg)) > 0);
  const sent = own.send(new Uint8Array(200_000));
  const closing = own.close();
  await peer.send(bytes("1:a,"));
  await turns(2);
  await peer.send(bytes("nonsense"));
  await turns(2);
  await peer.send(bytes("1:b,"));
  let size = 0;
  assertEquals(await peer.pull((chunk) => (size += chunk.length) > 0), "end");
  await Promise.all([sent, closing]);
  assertEquals([await pulling, got, size], ["end", ["a"], 200_008]);
  // Cut off by this side, not by the peer.
  await using other = framedPair(netstring());
  await other.peer.send(bytes("5:hel"));
  const reading = other.own.pull(() => true);
  await turns(2);
  await other.own.close();
  assertEquals(await reading, "end");
  await using lost = framedPair(lines());
  await lost.peer.send(bytes("half"));
  const last = lost.own.pull(() => {
    throw new Error("no line has ended");
  });
  await turns(2);
  await lost.own.close();
  assertEquals(await last, "end");
});

Deno.test("framed transport: an abort by the sink forgets the rest of the chunk", async () => {
  await using pair = framedPair(lines());
  const { own, peer } = pair;
  await peer.send(bytes("a\nb\n"));
  const got: unknown[] = [];
  const pulled = own.pull((msg) => {
    own.abort();
    return got.push(text(msg)) > 0;
  });
  assertEquals([await pulled, got, own.unread], ["end", ["a"], 0]);
});

Deno.test("framed transport: a frame beyond maxFrame is refused, whoever made it", async () => {
  const framing: Framing = { maxFrame: 3, encode: (data) => data, decode: () => null };
  await using pair = framedPair(framing);
  await pair.own.send(bytes("abc"));
  await assertRejects(() => pair.own.send(bytes("abcd")), RangeError, "maximum of conf.framing, 3");
});

Deno.test("framed transport: a second pull is refused, in the middle of a chunk too", async () => {
  await using pair = framedPair(lines());
  const { own, peer } = pair;
  await peer.send(bytes("a\nb\n"));
  await own.pull(() => false);
  let second: Promise<unknown> | undefined;
  await own.pull(() => {
    second = own.pull(() => true);
    second.catch(() => {});
    return false;
  });
  await assertRejects(async () => await second, TransportError, "one is in progress");
});
