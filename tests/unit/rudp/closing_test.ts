/** How a pipe of acknowledged datagrams ends: what is sent arrives, or its sender is told. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Dest,
  NET_CONF,
  type Pipe,
  PipeClosedError,
  pipeOpen,
  PipeTimeoutError,
  RUDP,
  UDP,
} from "@p2pd/pipes";
import { memoryNetwork } from "@p2pd/pipes/testing";
import { ackPacket, dataPacket, readPacket } from "../../../lib/rudp/packet.ts";
import { RudpTransport } from "../../../lib/rudp/transport.ts";
import { TransportError } from "../../../lib/transport/error.ts";
import type { Sink, Transport } from "../../../lib/transport/transport.ts";
import { latch, text, until } from "../../helpers/pipes.ts";
import { retaking } from "../../helpers/retaking.ts";

const route = "127.0.0.1:0";

/** What byte 8 says. */
const isAck = (packet: Uint8Array) => packet[8] === 1;

Deno.test("rudp close: what was sent is acknowledged first", async () => {
  const net = memoryNetwork({ seed: 5 });
  await using server = await net.pipeOpen(RUDP, { route: "10.0.0.1:5" });
  const client = await net.pipeOpen(RUDP, { dest: server.localAddr });
  await client.send("hello");
  net.setFaults({ upstream: { loss: 0.1 }, downstream: { loss: 0.1 } });
  const sends = Array.from({ length: 100 }, (_, i) => client.send(`${i}`));
  let resolved = 0;
  for (const sent of sends) sent.then(() => resolved++);
  await client.close();
  assertEquals(resolved, 100);
  assertEquals(server.stats.messagesIn, 101);
});

Deno.test("rudp close: the peer learns that its last message arrived, although that was lost", async () => {
  const net = memoryNetwork();
  const server = await net.pipeOpen(RUDP, { route: "10.0.0.1:5" });
  await using client = await net.pipeOpen(RUDP, { dest: server.localAddr });
  let lost = 0;
  net.setFaults({ downstream: { loss: (data) => isAck(data) && lost++ < 2 } });
  const sent = client.send("the last words");
  assertEquals(text(await server.recv()), "the last words");
  await server.close();
  await sent; // long before it would be sent again
  assertEquals(lost, 4); // of which the first two were
});

Deno.test("rudp close: what is repeated meanwhile is acknowledged again, what is new is not", async () => {
  await using peer = await pipeOpen(UDP, { route });
  const server = await pipeOpen(RUDP, { route });
  const acks: bigint[] = [];
  const closing = latch();
  peer.addMsgCb((packet) => {
    const read = readPacket(packet);
    assert(read !== undefined && read.message === undefined);
    acks.push(read.number);
  });
  await peer.send(dataPacket(1n, new Uint8Array([1])), server.localAddr);
  await server.recv();
  const closed = server.close().then(closing.open);
  for (let i = 0; i < 10; i++) {
    await peer.send(dataPacket(1n, new Uint8Array([1])), server.localAddr);
    await peer.send(dataPacket(2n, new Uint8Array([2])), server.localAddr);
  }
  await until(() => acks.length >= 11, "an acknowledgement for each repetition");
  await closed;
  await until(() => acks.length >= 14, "three that were not asked for");
  assert(acks.every((number) => number === 1n), `${acks}`);
});

Deno.test("rudp close: nothing is waited for where nothing was acknowledged lately", async () => {
  const server = await pipeOpen(RUDP, { route });
  await using client = await pipeOpen(RUDP, { dest: server.localAddr });
  const start = performance.now();
  await Promise.all([server.close(), client.close()]);
  assert(performance.now() - start < 60, "it waited for nothing");
});

Deno.test("rudp close: linger bounds the wait for a peer that is silent", async () => {
  await using mute = await pipeOpen(UDP, { route });
  const client = await pipeOpen(RUDP, { dest: mute.localAddr, conf: { linger: 30 } });
  const sent = assertRejects(() => client.send("x"), PipeClosedError);
  const start = performance.now();
  await client.close();
  await sent;
  assert(performance.now() - start < 2000);
});

Deno.test("rudp close: without linger it waits until the peer was given up, and no longer", async () => {
  await using mute = await pipeOpen(UDP, { route });
  const client = await pipeOpen(RUDP, { dest: mute.localAddr, conf: { ackTimeout: 80 } });
  const sent = assertRejects(() => client.send("x"), PipeTimeoutError);
  const start = performance.now();
  await client.close();
  await sent;
  const took = performance.now() - start;
  assert(took > 70 && took < 2000, `${took} ms`);
});

Deno.test(
  "rudp close: the port can be bound again, as often as one likes",
  retaking(async () => {
    let at: Dest = route;
    for (let i = 0; i < 3; i++) {
      const server: Pipe = await pipeOpen(RUDP, { route: at });
      at = ["127.0.0.1", server.localAddr.port];
      const client = await pipeOpen(RUDP, { dest: server.localAddr });
      await client.send(`${i}`);
      assertEquals(text(await server.recv()), `${i}`);
      await Promise.all([client.close(), server.close()]);
    }
  }),
);

/** A transport that does what a test says. */
class Scripted implements Transport {
  readonly kind = "datagram";
  readonly raw = undefined;
  readonly localAddr = { transport: "udp", hostname: "10.0.0.1", port: 1 } as const;
  readonly sent: Uint8Array[] = [];
  sink: Sink | undefined;
  closed = 0;
  #end = Promise.withResolvers<"end">();

  pull(sink: Sink): Promise<"paused" | "end"> {
    this.sink = sink;
    return this.#end.promise;
  }

  send(data: Uint8Array): Promise<number> {
    this.sent.push(data);
    return Promise.resolve(data.length);
  }

  close(): Promise<void> {
    this.closed++;
    this.#end.resolve("end");
    return Promise.resolve();
  }

  abort(): void {
    this.#end.resolve("end");
  }

  fail(error: TransportError): void {
    this.#end.reject(error);
  }
}

const peer = { transport: "udp", hostname: "10.0.0.2", port: 2 } as const;

Deno.test("rudp: when the socket fails, sends fail, and what is held is read before the error", async () => {
  const under = new Scripted(), rudp = new RudpTransport(under, NET_CONF);
  under.sink?.(dataPacket(7n, new Uint8Array([7])), peer);
  const sent = assertRejects(() => rudp.send(new Uint8Array(1), peer), TransportError, "unplugged");
  under.fail(new TransportError("failed", new Error("unplugged")));
  await sent;
  const got: number[] = [];
  await assertRejects(
    () => rudp.pull((data) => got.push(data[0] ?? 0) > 0),
    TransportError,
    "unplugged",
  );
  assertEquals(got, [7]);
  await assertRejects(() => rudp.send(new Uint8Array(1), peer), TransportError, "unplugged");
  await rudp.close();
  assertEquals(under.closed, 1);
});

Deno.test("rudp: 64 KiB are held for a reader that does not read, and acknowledged", async () => {
  const under = new Scripted(), rudp = new RudpTransport(under, NET_CONF);
  for (let i = 0n; i < 100n; i++) under.sink?.(dataPacket(i, new Uint8Array(1024)), peer);
  assertEquals(under.sent, Array.from({ length: 64 }, (_, i) => ackPacket(BigInt(i))));
  // A message always fits where nothing is, whatever its size; tiny ones cost their bookkeeping.
  let taken = 0;
  const pulled = rudp.pull(() => ++taken < 64);
  assertEquals([await pulled, taken], ["paused", 64]);
  under.sink?.(dataPacket(200n, new Uint8Array(65_498)), peer);
  for (let i = 300n; i < 400n; i++) under.sink?.(dataPacket(i, new Uint8Array(0)), peer);
  assertEquals(under.sent.length, 64 + 1); // 38 bytes are left
  rudp.abort();
  await rudp.close();
});

Deno.test("rudp: linger bounds the time in which acknowledgements are repeated", async () => {
  for (const [linger, repeats] of [[0, 0], [20, 1], [null, 3]] as const) {
    const under = new Scripted(), rudp = new RudpTransport(under, { ...NET_CONF, linger });
    under.sink?.(dataPacket(1n, new Uint8Array(1)), peer);
    await rudp.close();
    assertEquals(under.sent.length, 1 + repeats, `linger ${linger}`);
  }
});

Deno.test("rudp: acknowledgements that the system does not take are not piled up", async () => {
  const under = new Scripted(), rudp = new RudpTransport(under, NET_CONF);
  const taken = Promise.withResolvers<number>();
  let asked = 0;
  under.send = () => {
    asked++;
    return taken.promise;
  };
  for (let i = 0; i < 3000; i++) under.sink?.(dataPacket(1n, new Uint8Array(0)), peer);
  assertEquals(asked, 1024);
  taken.resolve(0);
  await taken.promise;
  under.sink?.(dataPacket(1n, new Uint8Array(0)), peer);
  assertEquals(asked, 1025);
  rudp.abort();
  await rudp.close();
});
