import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { NET_CONF } from "../../lib/pipe/conf.ts";
import { ConnTransport } from "../../lib/transport/deno_conn.ts";
import { ListenerAcceptor } from "../../lib/transport/deno_listener.ts";
import { denoTcp } from "../../lib/transport/deno_tcp.ts";
import { adoptDatagram } from "../../lib/transport/deno_udp.ts";
import { hasDenoUdp } from "../helpers/probes.ts";
import { settles } from "../helpers/turns.ts";
import { FakeConn, FakeDatagram, FakeListener } from "./fakes.ts";
import { failure, options, readBytes, receive, tcp, udp } from "./pair.ts";

/** An error as Deno makes it of a code without a class of its own. */
function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function fails(error: Error): () => never {
  return () => {
    throw error;
  };
}

Deno.test("accept survives connections that are gone and a full file table", async () => {
  const conn = new FakeConn({});
  const listener = new FakeListener([
    fails(new Deno.errors.ConnectionAborted("left")),
    fails(systemError("EMFILE")),
    // What a client gives that has reset before it is accepted.
    fails(new Deno.errors.NotConnected("left")),
    fails(new Deno.errors.ConnectionReset("left")),
    () => conn,
  ]);
  const acceptor = new ListenerAcceptor(listener, NET_CONF);
  const accepted = await acceptor.accept();
  assertStrictEquals(accepted?.raw, conn);
  accepted?.abort();
  await acceptor.close();
});

Deno.test("close cuts the wait for a full file table short", async () => {
  const listener = new FakeListener(Array.from({ length: 50 }, () => fails(systemError("ENFILE"))));
  const acceptor = new ListenerAcceptor(listener, NET_CONF);
  const accepting = acceptor.accept();
  assertEquals(await settles(accepting, 3), false);
  const closing = acceptor.close();
  assert(await settles(closing, 3), "close waited for the next try");
  assertEquals(await accepting, null);
  assertEquals(listener.closes, 1);
  assert(listener.accepts.length > 45, "it does not wait between the tries");
});

Deno.test("any other error of accept comes out, and the next accept goes on", async () => {
  const conn = new FakeConn({});
  const cause = systemError("EINVAL");
  const acceptor = new ListenerAcceptor(new FakeListener([fails(cause), () => conn]), NET_CONF);
  assertStrictEquals((await failure(acceptor.accept())).cause, cause);
  const accepted = await acceptor.accept();
  assertStrictEquals(accepted?.raw, conn);
  accepted?.abort();
  await acceptor.close();
});

Deno.test("a connection that comes in while the listener closes is closed", async () => {
  const conn = new FakeConn({}), late = Promise.withResolvers<Deno.Conn>();
  const acceptor = new ListenerAcceptor(new FakeListener([() => late.promise]), NET_CONF);
  const accepting = acceptor.accept();
  const closing = acceptor.close();
  late.resolve(conn);
  assertEquals(await accepting, null);
  await closing;
  assertEquals(conn.closes, 1);
});

Deno.test("a part written is followed by the rest", async () => {
  const data = new Uint8Array([1, 2, 3, 4, 5, 6]);
  const conn = new FakeConn({ writes: [() => 2, () => 1, () => 3] });
  const transport = new ConnTransport(conn);
  await transport.send(data);
  assertEquals(conn.written, [...data]);
  transport.abort();
});

Deno.test("a read that ends after an abort is not handed up", async () => {
  const late = Promise.withResolvers<number>();
  const transport = new ConnTransport(new FakeConn({ reads: [() => late.promise] }));
  const pulling = transport.pull(() => {
    throw new Error("handed up");
  });
  transport.abort();
  late.resolve(3);
  assertEquals(await pulling, "end");
});

Deno.test("close ends the output, reads what is left, and a pull then is at its end", async () => {
  const reading = Promise.withResolvers<number>(), last = Promise.withResolvers<number>();
  const conn = new FakeConn({
    reads: [() => 5, () => (reading.resolve(0), last.promise)],
    writes: [() => 1],
  });
  const transport = new ConnTransport(conn);
  await transport.send(new Uint8Array(1));
  const closing = transport.close();
  await reading.promise;
  assertEquals(conn.ended, "output");
  assertEquals(await transport.pull(() => true), "end");
  assertEquals(await settles(closing, 5), false);
  assertEquals(conn.ended, "closed");
  last.reject(new Deno.errors.Interrupted("closed"));
  await closing;
});

Deno.test("close waits no turn where nothing can be lost: nothing sent, or the input ended", async () => {
  const silent = new FakeConn({});
  void new ConnTransport(silent).close();
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(silent.ended, "closed");
});

Deno.test("read buffers grow with the traffic, and never share what they handed over", async () => {
  const sizes = [2048, 8192, 32_768, 65_536, 20_000, 10, 65_536];
  const transport = new ConnTransport(new FakeConn({ reads: sizes.map((size) => () => size) }));
  const chunks: Uint8Array[] = [];
  await transport.pull((chunk) => chunks.push(chunk) < sizes.length);
  assertEquals(chunks.map(({ length }) => length), sizes);
  const large = chunks.filter(({ length }) => length >= 16_384).map(({ buffer }) => buffer);
  assertEquals(new Set(large).size, large.length);
  transport.abort();
});

Deno.test("a raw socket closed by its owner is told apart from the end of the peer", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const acceptor = new ListenerAcceptor(listener, NET_CONF);
  const [own, conn] = await Promise.all([
    acceptor.accept(),
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
  ]);
  assert(own !== null);
  const peer = new ConnTransport(conn);
  assertEquals(peer.localAddr, own.remoteAddr);
  const pulling = peer.pull(() => true), accepting = acceptor.accept();
  conn.close();
  listener.close();
  assertEquals((await failure(pulling)).fault, "closed");
  assertEquals(await accepting, null);
  assertEquals((await failure(peer.send(new Uint8Array(1)))).fault, "closed");
  await Promise.all([peer.close(), own.close(), acceptor.close()]);
});

Deno.test("adopted connections carry data", async () => {
  const acceptor = new ListenerAcceptor(
    Deno.listen({ hostname: "127.0.0.1", port: 0 }),
    NET_CONF,
  );
  const { port } = acceptor.localAddr;
  const [own, conn] = await Promise.all([
    acceptor.accept(),
    Deno.connect({ hostname: "127.0.0.1", port }),
  ]);
  assert(own !== null);
  const peer = new ConnTransport(conn);
  await peer.send(new Uint8Array([1, 2, 3]));
  assertEquals(await readBytes(own, 3), new Uint8Array([1, 2, 3]));
  await Promise.all([peer.close(), own.close(), acceptor.close()]);
});

Deno.test({
  name: "reuseAddr lets two listeners share a port",
  ignore: !hasDenoUdp,
  async fn() {
    const shared = options({ reuseAddr: true });
    const one = await denoTcp.listen(tcp("127.0.0.1"), shared);
    const two = await denoTcp.listen(one.localAddr, shared);
    assertEquals(two.localAddr, one.localAddr);
    await Promise.all([one.close(), two.close()]);
  },
});

Deno.test({
  name: "reuseAddr without --unstable-net is refused, and does not end the process",
  ignore: hasDenoUdp,
  async fn() {
    const listening = denoTcp.listen(tcp("127.0.0.1"), options({ reuseAddr: true }));
    const { cause } = await failure(listening);
    assert(cause instanceof Error && cause.message.includes("--unstable-net"), `${cause}`);
  },
});

Deno.test("ICMP errors of other datagrams end neither receiving nor sending", async () => {
  const refused = fails(new Deno.errors.ConnectionRefused("port unreachable"));
  const reset = fails(new Deno.errors.ConnectionReset("port unreachable"));
  const conn = new FakeDatagram({
    receives: [reset, refused, fails(systemError("EHOSTUNREACH")), () => 3],
    sends: [refused, () => 1, refused, reset],
  });
  const socket = await adoptDatagram(conn);
  const [data, from] = await receive(socket);
  assertEquals(data.length, 3);
  assertEquals(from, udp("127.0.0.1", 10));
  await socket.send(new Uint8Array(1), from);
  assertEquals(conn.tries, 2, "it was sent again");
  await socket.send(new Uint8Array(1), from);
  assertEquals(conn.tries, 4);
  await socket.close();
});

Deno.test("any other error of a datagram socket comes out", async () => {
  const cause = systemError("ENETDOWN");
  const socket = await adoptDatagram(
    new FakeDatagram({ receives: [fails(cause)], sends: [fails(cause)] }),
  );
  assertStrictEquals((await failure(socket.pull(() => true))).cause, cause);
  const sending = socket.send(new Uint8Array(1), udp("127.0.0.1", 9));
  assertStrictEquals((await failure(sending)).cause, cause);
  await socket.close();
});
