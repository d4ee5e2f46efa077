import { assert, assertEquals, assertRejects } from "@std/assert";
import { denoTcp } from "../../lib/transport/deno_tcp.ts";
import { nodeTcp } from "../../lib/transport/node_tcp.ts";
import { nodeUdp } from "../../lib/transport/node_udp.ts";
import { settles, turns } from "../helpers/turns.ts";
import { bind, connected, failure, listen, options, readBytes, receive, tcp, udp } from "./pair.ts";
import { retaking } from "../helpers/retaking.ts";

const host = "127.0.0.1";

Deno.test(
  "a client is bound to the local address and port it asks for",
  retaking(async () => {
    const acceptor = await listen(denoTcp, tcp(host));
    let from = tcp(host);
    for (let round = 0; round < 3; round++) {
      const [own, peer] = await Promise.all([
        acceptor.accept(),
        nodeTcp.connect(acceptor.localAddr, from, options()),
      ]);
      assert(own !== null);
      assertEquals(own.remoteAddr, peer.localAddr);
      if (round > 0) assertEquals(peer.localAddr, from);
      // The same port again, as soon as close has returned.
      from = peer.localAddr;
      await own.close();
      await peer.close();
    }
    await acceptor.close();
  }),
);

Deno.test({
  name: "a client can be bound to any loopback address",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const acceptor = await listen(denoTcp, tcp(host));
    const [own, peer] = await Promise.all([
      acceptor.accept(),
      nodeTcp.connect(acceptor.localAddr, tcp("127.0.0.77"), options()),
    ]);
    assert(own !== null);
    assertEquals(own.remoteAddr?.hostname, "127.0.0.77");
    await Promise.all([own.close(), peer.close(), acceptor.close()]);
  },
});

Deno.test("a local address that this machine does not have is refused", async () => {
  const acceptor = await listen(denoTcp, tcp(host));
  const connecting = nodeTcp.connect(acceptor.localAddr, tcp("192.0.2.254"), options());
  const { fault, cause } = await failure(connecting);
  assertEquals(fault, "failed");
  assert(cause instanceof Error, `cause: ${cause}`);
  await acceptor.close();
});

Deno.test("abort sends a reset, which a plain Deno connection sees", async () => {
  const listener = Deno.listen({ hostname: host, port: 0 });
  const [conn, peer] = await Promise.all([
    listener.accept(),
    nodeTcp.connect(tcp(host, listener.addr.port), undefined, options()),
  ]);
  const reading = assertRejects(
    () => conn.read(new Uint8Array(1)),
    Deno.errors.ConnectionReset,
  );
  peer.abort();
  await reading;
  conn.close();
  listener.close();
  await peer.close();
});

Deno.test("an acceptor holds conf.backlog connections and resets the others", async () => {
  const acceptor = await nodeTcp.listen(tcp(host), options({ backlog: 2 }));
  assert("accept" in acceptor);
  const connect = () => denoTcp.connect(acceptor.localAddr, undefined, options());
  const clients = [await connect(), await connect()];
  for (let i = 0; i < 2; i++) {
    // The reset comes while connecting or after it.
    const reset = connect().then(async (client) => {
      await client.pull(() => true).finally(() => client.close());
    });
    assertEquals((await failure(reset)).fault, "reset");
  }
  for (const client of clients) {
    const own = await acceptor.accept();
    assertEquals(own?.remoteAddr, client.localAddr);
    await own?.close();
  }
  await Promise.all([acceptor.close(), ...clients.map((client) => client.close())]);
});

Deno.test("reuseAddr lets two listeners share a port, without --unstable-net too", async () => {
  const shared = options({ reuseAddr: true });
  const one = await nodeTcp.listen(tcp(host), shared);
  const two = await nodeTcp.listen(one.localAddr, shared);
  assertEquals(two.localAddr, one.localAddr);
  await Promise.all([one.close(), two.close()]);
});

Deno.test("a raw socket destroyed by its owner is an end", async () => {
  await using pair = await connected({
    kind: "stream",
    driver: nodeTcp,
    host,
    resets: true,
    dual: false,
  });
  const pulling = pair.own.pull(() => true);
  const { raw } = pair.own;
  assert(raw instanceof Object && "destroy" in raw && typeof raw.destroy === "function");
  raw.destroy();
  assertEquals(await pulling, "end");
  assertEquals((await failure(pair.own.send(new Uint8Array(1)))).fault, "closed");
});

Deno.test("datagrams wait between pulls, in order and none twice", async () => {
  const a = await bind(nodeUdp, udp(host)), b = await bind(nodeUdp, udp(host));
  for (let i = 0; i < 100; i++) await a.send(new Uint8Array([i]), b.localAddr);
  await turns(3);
  const got: number[] = [];
  for (let i = 0; i < 100; i++) got.push((await receive(b))[0][0] ?? -1);
  assertEquals(got, Array.from({ length: 100 }, (_, i) => i));
  assertEquals(await settles(b.pull(() => true), 2), false);
  await Promise.all([a.close(), b.close()]);
});

Deno.test("reuseAddr lets two datagram sockets share a port", async () => {
  const shared = options({ reuseAddr: true });
  const one = await nodeUdp.listen(udp(host), shared);
  const two = await nodeUdp.listen(one.localAddr, shared);
  assertEquals(two.localAddr, one.localAddr);
  await Promise.all([one.close(), two.close()]);
});

for (const driver of [denoTcp, nodeTcp]) {
  Deno.test({
    name: `${driver.name}: a connect that gets no answer ends when its signal is aborted`,
    // Elsewhere a full listener refuses.
    ignore: Deno.build.os !== "linux",
    async fn() {
      const listener = Deno.listen({ hostname: host, port: 0, tcpBacklog: 1 });
      const to = tcp(host, listener.addr.port);
      const abort = new AbortController(), reason = new Error("no more");
      const outcomes: Promise<unknown>[] = [];
      for (let settled = true; settled && outcomes.length < 20;) {
        const connecting = driver.connect(to, undefined, options({}, abort.signal));
        outcomes.push(connecting.then((connection) => connection.close(), (error) => error));
        settled = await settles(connecting, 5);
      }
      abort.abort(reason);
      assertEquals((await Promise.all(outcomes)).at(-1), reason);
      listener.close();
    },
  });
}

Deno.test("node:net delivers what a slow reader left, after the peer has closed", async () => {
  await using pair = await connected({
    kind: "stream",
    driver: nodeTcp,
    peer: denoTcp,
    host,
    resets: false,
    dual: false,
  });
  await pair.peer.send(new Uint8Array(100_000).fill(5));
  await pair.peer.close();
  await turns(3);
  assertEquals(await readBytes(pair.own, 100_000), new Uint8Array(100_000).fill(5));
  assertEquals(await pair.own.pull(() => true), "end");
});
