/** Pipes of sockets that somebody else opened: every kind that has an address. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { type Pipe, pipeOpen, PipeOpenError, PipeTimeoutError, TCP, UDP } from "@p2pd/pipes";
import { once } from "node:events";
import { connect as tlsConnect } from "node:tls";
import { assertEchoes, dial, host, served, target, targetOf } from "../../helpers/adopt.ts";
import { recvText, text } from "../../helpers/pipes.ts";
import { hasDenoUdp } from "../../helpers/probes.ts";
import { ca, echo, serverCert, serverTls } from "../../helpers/tls.ts";
import { settles } from "../../helpers/turns.ts";
import { abstractName, freePath, hasAbstract, hasPaths } from "../../helpers/unix.ts";

const caCerts = [ca.cert];

Deno.test("adopt: a Deno.TcpConn and a listener", async () => {
  await served(Deno.listen(host), async (addr) => {
    const conn = await Deno.connect(addr);
    await using pipe = await pipeOpen(TCP, { sock: conn });
    assertEquals(pipe.sock, conn);
    assertEquals(pipe.remoteAddr, { transport: "tcp", ...addr });
    await assertEchoes(pipe);
  });
});

Deno.test("adopt: a Deno.TlsConn and a Deno.TlsListener, whose handshakes the pipes do", async () => {
  const listener = Deno.listenTls({ ...host, ...serverCert, alpnProtocols: ["echo"] });
  await served(listener, async (addr) => {
    const dest = { hostname: "localhost", port: addr.port };
    const conn = await Deno.connectTls({ ...dest, caCerts, alpnProtocols: ["echo"] });
    await using pipe = await pipeOpen(TCP, { sock: conn });
    assertEquals(pipe.tls?.alpnProtocol, "echo");
    await assertEchoes(pipe);
  });
});

Deno.test("adopt: a Deno.TlsConn whose peer nobody vouches for", async () => {
  const listener = Deno.listenTls({ ...host, ...serverCert });
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  await using server = await pipeOpen(TCP, { sock: listener, conf: { onError } });
  const conn = await Deno.connectTls({ hostname: "localhost", port: listener.addr.port });
  const error = await assertRejects(() => pipeOpen(TCP, { sock: conn }), PipeOpenError);
  assertEquals([error.phase, error.sock], ["tls", undefined]);
  await assertRejects(() => conn.write(new Uint8Array(1)), Deno.errors.BadResource);
  await server.close();
});

Deno.test("adopt: a Deno.TlsConn whose peer says nothing, closed or not as doClose says", async () => {
  using listener = Deno.listen(host);
  for (const doClose of [true, false]) {
    const conn = await Deno.connectTls({ hostname: "localhost", port: listener.addr.port });
    using _peer = await listener.accept();
    const conf = { sslHandshake: 30, doClose };
    const error = await assertRejects(() => pipeOpen(TCP, { sock: conn, conf }), PipeOpenError);
    assertEquals(error.phase, "tls");
    assertInstanceOf(error.cause, PipeTimeoutError);
    assertEquals(error.sock, doClose ? undefined : conn);
    // Deno (2.9) keeps the connection itself until the peer ends it; but its object tells.
    const writing = conn.write(new Uint8Array());
    if (doClose) await assertRejects(() => writing, Deno.errors.BadResource);
    else {
      assertEquals(await settles(writing), false);
      conn.close();
      await assertRejects(() => writing, Deno.errors.Interrupted);
    }
  }
});

Deno.test(
  "adopt: Unix connections and listeners",
  { ignore: !hasPaths && !hasAbstract },
  async () => {
    for (const path of [...hasPaths ? [freePath()] : [], ...hasAbstract ? [abstractName()] : []]) {
      const listener = Deno.listen({ transport: "unix", path });
      await using server = await pipeOpen(TCP, { sock: listener, msgCb: echo });
      const conn = await Deno.connect({ transport: "unix", path });
      await using pipe = await pipeOpen(TCP, { sock: conn });
      assertEquals([server.localAddr.path, pipe.remoteAddr?.path], [path, path]);
      await assertEchoes(pipe);
    }
  },
);

Deno.test(
  "adopt: a Unix listener leaves what came to its path later",
  { ignore: !hasPaths },
  async () => {
    const path = freePath();
    const server = await pipeOpen(TCP, { sock: Deno.listen({ transport: "unix", path }) });
    Deno.removeSync(path);
    Deno.writeTextFileSync(path, "mine");
    await server.close();
    assertEquals(Deno.readTextFileSync(path), "mine");
  },
);

Deno.test("adopt: a listener with connections that came before", async () => {
  const listener = Deno.listen(host);
  const early = await Promise.all(Array.from({ length: 5 }, () => Deno.connect(target(listener))));
  await using server = await pipeOpen(TCP, { sock: listener, msgCb: echo });
  for (const conn of early) {
    await using pipe = await pipeOpen(TCP, { sock: conn });
    await assertEchoes(pipe);
  }
  assertEquals(server.stats.messagesIn >= 5, true);
});

Deno.test("adopt: a listener that is closed before anybody came, or with somebody waiting", async () => {
  const silent = await pipeOpen(TCP, { sock: Deno.listen(host) });
  await silent.close();
  const listener = Deno.listen(host);
  using conn = await Deno.connect(target(listener));
  const server = await pipeOpen(TCP, { sock: listener, conf: { backlog: 1 } });
  await server.close();
  assertEquals(await conn.read(new Uint8Array(1)).catch(() => null), null);
});

Deno.test("adopt: TLS over an adopted connection and listener", async () => {
  await using server = await pipeOpen(TCP, {
    sock: Deno.listen(host),
    msgCb: echo,
    conf: { useSsl: serverTls() },
  });
  const useSsl = { caCerts, serverName: "localhost" };
  const conn = await Deno.connect(targetOf(server));
  await using pipe = await pipeOpen(TCP, { sock: conn, conf: { useSsl } });
  assertEquals(pipe.tls?.authorized, true);
  await assertEchoes(pipe);
});

Deno.test("adopt: a node:net Socket, flowing or not, with what it has read already", async () => {
  for (const state of ["new", "paused", "flowing"] as const) {
    await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
    const [accepted, socket] = await Promise.all([
      server.accept(),
      dial(targetOf(server)),
    ]);
    assert(accepted !== null);
    if (state === "paused") socket.pause();
    if (state === "flowing") socket.resume();
    else {
      await accepted.send("early ");
      while (socket.bytesRead < 6 && state === "new") {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
    await using pipe = await pipeOpen(TCP, { sock: socket });
    assertEquals(pipe.remoteAddr, server.localAddr);
    await accepted.send("late");
    const expected = state === "flowing" ? "late" : "early late";
    assertEquals(await recvText(pipe, expected.length), expected);
    // It was made without allowHalfOpen.
    await accepted.closeWrite();
    assertEquals(await pipe.recv(), null);
    await pipe.send("after the end");
    assertEquals(await recvText(accepted, 13), "after the end");
    await pipe.close();
    assertEquals(await accepted.recv(), null);
    assert(socket.destroyed);
  }
});

Deno.test("adopt: a node:tls TLSSocket", async () => {
  const listener = Deno.listenTls({ ...host, ...serverCert });
  await served(listener, async ({ port }) => {
    const socket = tlsConnect({ port, host: "127.0.0.1", servername: "localhost", ca: [ca.cert] });
    await once(socket, "secureConnect");
    await using pipe = await pipeOpen(TCP, { sock: socket });
    await assertEchoes(pipe);
    const { protocol, authorized, peerCertificate } = pipe.tls ?? {};
    assertEquals([protocol, authorized], ["TLSv1.3", true]);
    assertEquals(peerCertificate?.subject, "CN=localhost");
  });
});

const udp = { transport: "udp", ...host } as const;

Deno.test(
  "adopt: a Deno.DatagramConn, with a peer and without",
  { ignore: !hasDenoUdp },
  async () => {
    await using server = await pipeOpen(UDP, { sock: Deno.listenDatagram(udp), msgCb: udpEcho });
    const conn = Deno.listenDatagram(udp);
    await using pipe = await pipeOpen(UDP, { sock: conn, dest: server.localAddr });
    assertEquals([pipe.sock, pipe.remoteAddr, pipe.role], [conn, server.localAddr, "client"]);
    assertEquals(text((await pipe.request("hello"))[0]), "hello");
  },
);

const udpEcho = async (msg: Uint8Array, from: Parameters<typeof echo>[1], pipe: Pipe) => {
  await pipe.send(msg, from);
};

Deno.test("adopt: a unixpacket socket", { ignore: !hasDenoUdp || !hasPaths }, async () => {
  const at = freePath(), mine = freePath();
  const open = (path: string) => Deno.listenDatagram({ transport: "unixpacket", path });
  await using server = await pipeOpen(UDP, { sock: open(at), msgCb: udpEcho });
  await using pipe = await pipeOpen(UDP, { sock: open(mine), dest: server.localAddr });
  assertEquals(text((await pipe.request("hello"))[0]), "hello");
  assertEquals([pipe.localAddr.path, server.localAddr.path], [mine, at]);
  const udpConn = Deno.listenDatagram(udp);
  const wrong = () => pipeOpen(UDP, { sock: udpConn, dest: { path: at } });
  await assertRejects(wrong, TypeError, "dest");
  udpConn.close();
});
