/** Sockets that no pipe is made of, because they are closed, in use or of a wrong kind. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type OpenListener,
  type OpenSocket,
  pipeOpen,
  PipeStateError,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { once } from "node:events";
import { connect, createServer, Socket } from "node:net";
import { assertEchoes, dial, host, served, target } from "../../helpers/adopt.ts";
import { hasDenoUdp } from "../../helpers/probes.ts";
import { ca, serverCert } from "../../helpers/tls.ts";
import { abstractName, freePath, hasAbstract, hasPaths } from "../../helpers/unix.ts";

const caCerts = [ca.cert];
const udp = { transport: "udp", ...host } as const;

/** The socket is refused, and says why. */
async function assertRefused(
  sock: OpenSocket,
  why: string,
  proto: typeof TCP | typeof UDP = TCP,
): Promise<void> {
  const error = await assertRejects(() => pipeOpen(proto, { sock }), PipeStateError);
  assertStringIncludes(error.message, `Cannot adopt sock: `);
  assertStringIncludes(error.message, why);
}

Deno.test("adopt: a closed socket of every kind is refused", async () => {
  const tls = Deno.listenTls({ ...host, ...serverCert });
  const listener = Deno.listen(host);
  const conn = await Deno.connect(target(listener));
  const accepted = await listener.accept();
  const socket = await dial(target(listener));
  (await listener.accept()).close();
  const destroyed = once(socket, "close");
  socket.destroy();
  await destroyed;
  const tlsConn = await Deno.connectTls({ hostname: "localhost", port: tls.addr.port, caCerts });
  (await tls.accept()).close();
  const open: (Deno.Conn | OpenListener)[] = [conn, accepted, listener, tlsConn, tls];
  if (hasAbstract) {
    const path = abstractName();
    const unix = Deno.listen({ transport: "unix", path });
    const unixConn = await Deno.connect({ transport: "unix", path });
    (await unix.accept()).close();
    open.push(unix, unixConn);
  }
  for (const sock of open) {
    sock.close();
    await assertRefused(sock as Deno.TcpConn, "it is closed");
  }
  await assertRefused(socket, "it is closed");
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  await writable.abort("why");
  await assertRefused({ readable, writable: new WritableStream() }, "its readable has failed");
  await assertRefused({ readable: new ReadableStream(), writable }, "its writable has failed");
  const closed = new WritableStream<Uint8Array>();
  await closed.close();
  await assertRefused({ readable: new ReadableStream(), writable: closed }, "writable is closed");
  assert(!closed.locked && !readable.locked, "it is the caller's");
});

Deno.test(
  "adopt: a closed or busy datagram socket is refused",
  { ignore: !hasDenoUdp },
  async () => {
    const conn = Deno.listenDatagram(udp);
    conn.close();
    await assertRefused(conn, "it is closed", UDP);
    for (const path of [...hasPaths ? [freePath()] : [], ...hasAbstract ? [abstractName()] : []]) {
      const unix = Deno.listenDatagram({ transport: "unixpacket", path });
      const receiving = unix.receive();
      await assertRefused(unix, "it is in use", UDP);
      const other = Deno.listenDatagram({ transport: "unixpacket", path: `${path}.2` });
      await other.send(new Uint8Array([7]), { transport: "unixpacket", path });
      assertEquals((await receiving)[0], new Uint8Array([7]));
      unix.close();
      other.close();
      await assertRefused(unix, "it is closed", UDP);
      if (path.startsWith("/")) { for (const left of [path, `${path}.2`]) Deno.removeSync(left); }
    }
  },
);

Deno.test("adopt: a listener whose owner waits in accept is refused, and stays the owner's", async () => {
  for (const listener of [Deno.listen(host), Deno.listenTls({ ...host, ...serverCert })]) {
    const accepting = listener.accept();
    await assertRefused(listener, "it is in use");
    const conn = await Deno.connect(target(listener));
    (await accepting).close();
    conn.close();
    listener.close();
  }
});

Deno.test("adopt: streams that somebody has locked are refused, and stay theirs", async () => {
  await served(Deno.listen(host), async (addr) => {
    const conn = await Deno.connect(addr);
    const reader = conn.readable.getReader();
    await assertRefused(conn, "its readable is locked");
    reader.releaseLock();
    const writer = conn.writable.getWriter();
    await assertRefused(conn, "its writable is locked");
    await writer.write(new Uint8Array([1]));
    writer.releaseLock();
    const { readable, writable } = conn;
    const again = readable.getReader();
    assertEquals((await again.read()).value, new Uint8Array([1]));
    await assertRefused({ readable, writable }, "its readable is locked");
    again.releaseLock();
    await using pipe = await pipeOpen(TCP, { sock: conn });
    await assertEchoes(pipe);
  });
});

Deno.test("adopt: a node:net Socket that somebody uses, or that is not open, is refused", async () => {
  const server = createServer((peer) => {
    peer.on("error", () => {});
    peer.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const addr = server.address();
  assert(addr !== null && typeof addr === "object");
  const to = { transport: "tcp", hostname: "127.0.0.1", port: addr.port } as const;

  const unconnected = new Socket();
  await assertRefused(unconnected, "it is not connected yet");
  const connecting = connect({ host: to.hostname, port: to.port });
  await assertRefused(connecting, "it is not connected yet");
  await once(connecting, "connect");
  connecting.setEncoding("utf8");
  await assertRefused(connecting, "encoding");
  connecting.destroy();

  const ended = await dial(to);
  ended.end();
  await assertRefused(ended, "it has been ended");
  ended.destroy();

  const used = await dial(to);
  const listen = () => {};
  for (const event of ["data", "readable"] as const) {
    used.on(event, listen);
    await assertRefused(used, "it is in use");
    used.off(event, listen);
  }
  await using pipe = await pipeOpen(TCP, { sock: used });
  assertEquals(pipe.sock, used);
  await pipe.close();
  server.close();
  await once(server, "close");
});

Deno.test("adopt: a socket of the wrong kind is named, and left alone", async () => {
  const wrong = async (proto: unknown, sock: unknown, ...says: string[]) => {
    // as a caller without types would
    const open = () => pipeOpen(proto as "tcp", { sock: sock as Deno.TcpConn });
    const { message } = await assertRejects(open, TypeError);
    for (const part of ["sock: ", ...says]) assertStringIncludes(message, part);
  };
  using listener = Deno.listen(host);
  using conn = await Deno.connect(target(listener));
  using peer = await listener.accept();
  const { readable, writable } = new TransformStream();
  await wrong(UDP, conn, "udp", "got a connection");
  await wrong(UDP, listener, "udp", "got a listener");
  await wrong(UDP, { readable, writable }, "udp", "got a stream pair");
  const socket = new Socket();
  await wrong(UDP, socket, "udp", "got a node:net Socket");
  const server = createServer();
  for (const other of [server, {}, { readable }, { writable }, { readable: 1, writable: 2 }, []]) {
    await wrong(TCP, other, "tcp", "got something else");
  }
  for (const other of [null, 7, "socket", () => {}]) await wrong(TCP, other, "an open socket");
  if (hasDenoUdp) {
    const datagrams = Deno.listenDatagram(udp);
    await wrong(TCP, datagrams, "tcp", "got a datagram socket");
    datagrams.close();
  }
  const vsock = { transport: "vsock", cid: 2, port: 1 };
  await wrong(TCP, { accept() {}, addr: vsock }, '"vsock"');
  const read = () => Promise.resolve(null);
  await wrong(TCP, { read, write: read, localAddr: vsock, remoteAddr: vsock }, '"vsock"');
  const useSsl = { caCerts, serverName: "localhost" };
  const tls = await Deno.startTls(await Deno.connect(target(listener)), { hostname: "localhost" });
  const twice = () => pipeOpen(TCP, { sock: tls, conf: { useSsl } });
  await assertRejects(twice, TypeError, "sock has TLS already");
  tls.close();
  (await listener.accept()).close();
  using tlsListener = Deno.listenTls({ ...host, ...serverCert });
  const listenTwice = () => pipeOpen(TCP, { sock: tlsListener, conf: { useSsl: serverCert } });
  await assertRejects(listenTwice, TypeError, "sock has TLS already");
  // Nothing happened to them.
  await conn.write(new Uint8Array([1]));
  assertEquals(await peer.read(new Uint8Array(1)), 1);
  assert(!readable.locked && !writable.locked);
});
