/** What goes through a TLS pipe, how much of it, and how it ends. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { type Pipe, PipeClosedError, pipeOpen, TCP } from "@p2pd/pipes";
import { digestOf, Hash } from "../../helpers/hash.ts";
import { ownMemory } from "../../helpers/own_memory.ts";
import { latch, recvAll, recvText, text, until } from "../../helpers/pipes.ts";
import { Random } from "../../helpers/random.ts";
import {
  accept,
  connectTls,
  echo,
  serveTls,
  standstill,
  tap,
  type TlsPair,
  tlsPair,
} from "../../helpers/tls.ts";

const MB = 1_000_000;

/** The same for what the client sends and for what the server does. */
function eachWay(name: string, test: (from: Pipe, to: Pipe, pair: TlsPair) => Promise<void>): void {
  Deno.test(`tls: ${name}, client to server`, async () => {
    await using pair = await tlsPair();
    await test(pair.client, pair.accepted, pair);
  });
  Deno.test(`tls: ${name}, server to client`, async () => {
    await using pair = await tlsPair();
    await test(pair.accepted, pair.client, pair);
  });
}

async function digestUntilEnd(pipe: Pipe): Promise<string> {
  const hash = new Hash();
  for await (const [msg] of pipe) hash.update(msg);
  return hash.digest;
}

Deno.test("tls: 20 MB both ways at once, in pieces of all sizes, to the end", async () => {
  await using pair = await tlsPair();
  const random = new Random(20);
  const data = [random.bytes(20 * MB), random.bytes(20 * MB)] as const;
  const send = async (pipe: Pipe, all: Uint8Array) => {
    for (let at = 0; at < all.length;) {
      const size = 1 + random.below(random.below(2) === 0 ? 100 : 300_000);
      await pipe.send(all.subarray(at, at + size));
      at += size;
    }
    await pipe.closeWrite();
  };
  const [, , atServer, atClient] = await Promise.all([
    send(pair.client, data[0]),
    send(pair.accepted, data[1]),
    digestUntilEnd(pair.accepted),
    digestUntilEnd(pair.client),
  ]);
  assertEquals([atServer, atClient], data.map((all) => digestOf(all)));
  assertEquals(pair.client.stats.bytesOut, 20 * MB);
  assertEquals(pair.client.stats.bytesIn, 20 * MB);
});

eachWay("a peer that does not read stops the sender, and gets everything", async (from, to) => {
  const before = ownMemory();
  const piece = new Random(7).bytes(MB);
  const hash = new Hash();
  let sent = 0;
  const sending = (async () => {
    for (; sent < 60; sent++) {
      await from.send(piece);
      hash.update(piece);
    }
    await from.closeWrite();
  })();
  const taken = await standstill(() => sent);
  const growth = ownMemory() - before;
  assert(taken < 30, `${taken} MB were taken`);
  assert(growth < 64, `memory grew by ${growth} MB`);
  assertEquals(await digestUntilEnd(to), (await sending, hash.digest));
  assertEquals(hash.size, 60 * MB);
});

eachWay("close sends what was sent before", async (from, to, { server }) => {
  const data = new Random(5).bytes(5 * MB);
  const sending = from.send(data);
  const closing = from.close();
  assertEquals(await digestUntilEnd(to), digestOf(data));
  await Promise.all([sending, closing]);
  await to.close();
  assertEquals([(await from.closed).by, (await to.closed).by], ["local", "remote"]);
  assertEquals(server.errors, []);
});

eachWay("after closeWrite the other side can still be heard", async (from, to) => {
  const data = new Random(6).bytes(2 * MB);
  await from.send("the question");
  await from.closeWrite();
  assertEquals(await recvAll(to), "the question");
  const answering = (async () => {
    await to.send(data);
    await to.close();
  })();
  assertEquals(await digestUntilEnd(from), digestOf(data));
  await answering;
});

eachWay("abort does not wait, and its peer can tell it from an end", async (from, to) => {
  await from.send("before");
  assertEquals(await recvText(to, 6), "before");
  const stuck = assertRejects(() => from.send(new Uint8Array(50 * MB)), PipeClosedError);
  await standstill(() => to.stats.bytesIn);
  const reason = new Error("no more");
  from.abort(reason);
  await stuck;
  assertEquals(await from.closed, { by: "local", error: reason });
  await assertRejects(() => deadline(digestUntilEnd(to), 30_000), PipeClosedError);
  assert(["reset", "error"].includes((await to.closed).by));
});

/** What an attacker in between, or a broken line, can do; only the two ends can end it in good order. */
for (const harm of ["end", "reset"] as const) {
  for (const side of ["server", "client"] as const) {
    Deno.test(`tls: a connection that someone else ${harm}s is no good end for a ${side}`, async () => {
      await using server = await serveTls();
      await using between = await tap(server.localAddr);
      await using client = await connectTls(between.addr);
      await using accepted = await accept(server);
      const [from, to] = side === "server" ? [client, accepted] : [accepted, client];
      await from.send("as far as this");
      await until(() => to.stats.bytesIn === 14, "arrival");
      const cut = await (side === "server" ? between.toServer : between.toClient);
      if (harm === "end") await cut.closeWrite();
      else cut.abort();
      assertEquals(await recvText(to, 14), "as far as this");
      const error = await assertRejects(() => to.recv(), PipeClosedError);
      assert(error.cause instanceof Error);
      const info = await to.closed;
      assert(["reset", "error"].includes(info.by), info.by);
      await assertRejects(() => to.send("x"), PipeClosedError);
    });
  }
}

Deno.test("tls: the end of the peer is told apart: null, and `remote`", async () => {
  await using pair = await tlsPair();
  await pair.client.send("bye");
  await pair.client.close();
  assertEquals(text(await pair.accepted.recv()), "bye");
  assertEquals(await pair.accepted.recv(), null);
  await pair.accepted.close();
  assertEquals(await pair.accepted.closed, { by: "remote" });
});

for (const side of ["server", "client"] as const) {
  Deno.test(`tls: bytes that somebody else sends are an error to a ${side}`, async () => {
    await using server = await serveTls();
    await using between = await tap(server.localAddr);
    await using client = await connectTls(between.addr);
    await using accepted = await accept(server);
    const [from, to] = side === "server" ? [client, accepted] : [accepted, client];
    await from.send("genuine");
    assertEquals(await recvText(to, 7), "genuine");
    // A record of the right form (RFC 8446, section 5.2) that nobody with the keys has made.
    const forged = [23, 3, 3, 0, 32, ...new Random(3).bytes(32)];
    const wire = await (side === "server" ? between.toServer : between.toClient);
    await wire.send(new Uint8Array(forged));
    await assertRejects(() => to.recv(), PipeClosedError);
    assertEquals((await to.closed).by, "error");
    await assertRejects(() => to.send("x"), PipeClosedError);
  });
}

for (const far of ["TCP", "TLS"] as const) {
  const near = far === "TCP" ? "TLS" : "TCP";
  Deno.test(`tls: a relay from ${near} to ${far}, and back`, async () => {
    const errors: unknown[] = [];
    const onError = (error: unknown) => void errors.push(error);
    const route = "127.0.0.1:0";
    await using target = far === "TLS"
      ? await serveTls({ msgCb: echo })
      : await pipeOpen(TCP, { route, msgCb: echo });
    const reach = () =>
      far === "TLS" ? connectTls(target.localAddr) : pipeOpen(TCP, { dest: target.localAddr });
    const ends: Promise<unknown>[] = [];
    const upCb = async (_msg: null, _from: unknown, pipe: Pipe) => {
      const onward = await reach();
      ends.push(onward.closed);
      pipe.addPipe(onward);
      onward.addPipe(pipe);
    };
    await using relay = far === "TLS"
      ? await pipeOpen(TCP, { route, upCb, conf: { onError } })
      : await serveTls({ upCb, conf: { onError } });
    const client = far === "TLS"
      ? await pipeOpen(TCP, { dest: relay.localAddr })
      : await connectTls(relay.localAddr);
    const data = new Random(9).bytes(3 * MB);
    const sending = client.send(data).then(() => client.closeWrite());
    assertEquals(await digestUntilEnd(client), digestOf(data));
    await sending;
    await client.close();
    await until(() => relay.clients.size + target.clients.size === 0, "the end of all");
    await Promise.all(ends);
    assertEquals(errors, []);
  });
}

Deno.test("tls: linger n: close waits so long for a peer that does not read", async () => {
  await using pair = await tlsPair({}, { conf: { linger: 100 } });
  const sending = assertRejects(() => pair.client.send(new Uint8Array(50 * MB)), PipeClosedError);
  const start = performance.now();
  await pair.client.close();
  const took = performance.now() - start;
  await sending;
  assert(took > 90 && took < 3000, `${took} ms`);
  await assertRejects(() => digestUntilEnd(pair.accepted), PipeClosedError);
});

Deno.test("tls: what comes right behind the handshake is there, before up handlers are done", async () => {
  const log: string[] = [];
  const gate = latch(), all = latch();
  await using server = await serveTls({
    upCb: async (_msg, _from, pipe) => {
      log.push(`up ${pipe.tls?.protocol}`);
      await gate.done;
    },
    msgCb: (msg) => {
      log.push(`${text(msg)}`);
      all.open();
    },
  });
  await using client = await connectTls(server.localAddr);
  await client.send("first words");
  await until(() => log.length === 1, "up");
  gate.open();
  await all.done;
  assertEquals(log, ["up TLSv1.3", "first words"]);
});
