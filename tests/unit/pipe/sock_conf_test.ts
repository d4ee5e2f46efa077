/** conf.sockOnly, conf.sockProto, and what conf.doClose leaves of a socket. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import {
  type Lookup,
  pipeOpen,
  PipeOpenError,
  type PipeOptions,
  ResolveError,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { Server, Socket } from "node:net";
import { recvText, text } from "../../helpers/pipes.ts";
import { hasDenoUdp } from "../../helpers/probes.ts";
import { clientTls, drain, echo, serverTls } from "../../helpers/tls.ts";
import { turns } from "../../helpers/turns.ts";
import { abstractName, freePath, hasAbstract, hasPaths } from "../../helpers/unix.ts";

const sockOnly = { sockOnly: true } as const;
const route = "127.0.0.1:0";
const encode = (data: string) => new TextEncoder().encode(data);

/** Nothing of ours is left on it: it is as whoever made it would have it. */
function assertBare(emitter: Socket | Server | DatagramSocket): void {
  for (const event of ["data", "readable", "message", "connection"]) {
    assertEquals(emitter.listenerCount(event), 0, `listeners for ${event}`);
  }
}

Deno.test("sockOnly: a client is a Deno.TcpConn, which works", async () => {
  await using server = await pipeOpen(TCP, { route, msgCb: echo });
  const conn = await pipeOpen(TCP, { dest: server.localAddr, conf: sockOnly });
  assert("setNoDelay" in conn && "read" in conn && !(conn instanceof Socket));
  using raw = conn;
  await raw.write(encode("raw"));
  const buffer = new Uint8Array(10);
  assertEquals(await raw.read(buffer), 3);
  assertEquals(text(buffer.subarray(0, 3)), "raw");
  const { hostname, port } = server.localAddr;
  assertEquals({ ...raw.remoteAddr }, { transport: "tcp", hostname, port });
});

Deno.test("sockOnly: a client with a route or a linger is a node:net Socket, and reads all", async () => {
  await using server = await pipeOpen(TCP, { route });
  for (const more of [{ route }, { conf: { linger: 0 } }]) {
    const { conf = {}, ...rest }: PipeOptions = more;
    const options = { dest: server.localAddr, ...rest, conf: { ...conf, ...sockOnly } };
    const socket = await pipeOpen(TCP, options);
    assert(socket instanceof Socket);
    assertBare(socket);
    const accepted = await server.accept();
    assert(accepted !== null);
    await accepted.send("from the start");
    const [chunk] = await once(socket.resume(), "data");
    assertEquals(text(chunk), "from the start");
    socket.end("and back");
    assertEquals(await recvText(accepted, 8), "and back");
    await accepted.close();
    if (!socket.closed) await once(socket, "close");
  }
});

Deno.test("sockOnly: a server is a listener that accepts", async () => {
  const listener = await pipeOpen(TCP, { route, conf: sockOnly });
  assert("accept" in listener && listener.addr.transport === "tcp");
  const { hostname, port } = listener.addr;
  await using client = await pipeOpen(TCP, { dest: [hostname, port] });
  using conn = await listener.accept();
  await conn.write(encode("welcome"));
  assertEquals(await recvText(client, 7), "welcome");
  listener.close();
});

Deno.test("sockOnly: a server with a linger is a Server of node:net", async () => {
  const server = await pipeOpen(TCP, { route, conf: { ...sockOnly, linger: 5 } });
  assert(server instanceof Server);
  assertBare(server);
  const addr = server.address();
  assert(addr !== null && typeof addr === "object");
  server.on("connection", (socket) => socket.resume().end("welcome"));
  await using client = await pipeOpen(TCP, { dest: [addr.address, addr.port] });
  assertEquals(await recvText(client, 7), "welcome");
  server.close();
  await client.close();
  await once(server, "close");
});

Deno.test("sockOnly: Unix sockets", { ignore: !hasPaths && !hasAbstract }, async () => {
  const path = hasPaths ? freePath() : abstractName();
  const listener = await pipeOpen(TCP, { route: { path }, conf: sockOnly });
  assert("accept" in listener && listener.addr.transport === "unix");
  const conn = await pipeOpen(TCP, { dest: { path }, conf: sockOnly });
  assert("read" in conn && !(conn instanceof Socket));
  const accepted = await listener.accept();
  for (const open of [conn, accepted, listener]) open.close();
});

Deno.test("sockOnly: a datagram socket is Deno's or Node's", async () => {
  await using server = await pipeOpen(UDP, {
    route,
    msgCb: (msg, from, pipe) => void pipe.send(msg, from),
  });
  const { hostname, port } = server.localAddr;
  const socket = await pipeOpen(UDP, { route, conf: sockOnly });
  if (socket instanceof DatagramSocket) {
    assertEquals(hasDenoUdp, false);
    assertBare(socket);
    const message = once(socket, "message");
    socket.send("raw", port, hostname);
    assertEquals(text((await message)[0]), "raw");
    const closed = once(socket, "close");
    socket.close();
    await closed;
  } else {
    assertEquals(hasDenoUdp, true);
    await socket.send(encode("raw"), { transport: "udp", hostname, port });
    assertEquals(text((await socket.receive())[0]), "raw");
    socket.close();
  }
});

Deno.test("sockOnly: a proto known at run time only", async () => {
  for (const proto of [TCP, UDP]) {
    const raw = await pipeOpen(proto, { route, conf: sockOnly });
    assert("close" in raw);
    raw.close();
    if (raw instanceof DatagramSocket) await once(raw, "close");
  }
});

Deno.test("sockOnly: what makes no sense with it", async () => {
  // as a caller without types would
  const open = (proto: typeof TCP | typeof UDP, options: PipeOptions) =>
    pipeOpen(proto, { ...options, conf: { ...options.conf, sockOnly: true } } as PipeOptions);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const wrong: [PipeOptions, string][] = [
    [{ sock: listener }, "sock: is raw already"],
    [{ route, msgCb: echo }, "msgCb: would never be called"],
    [{ route, upCb: () => {} }, "upCb: would never be called"],
    [{ route, endCb: () => {} }, "endCb: would never be called"],
    [{ route, conf: { useSsl: serverTls() } }, "no raw socket has it"],
  ];
  for (const [options, says] of wrong) {
    await assertRejects(() => open(TCP, options), TypeError, says);
  }
});

Deno.test("sockOnly: TypeErrors and failures as without it", async () => {
  await assertRejects(() => pipeOpen(TCP, { dest: "no port", conf: sockOnly }), TypeError, "dest");
  const lookup: Lookup = () => Promise.reject(new Error("no such name"));
  await assertRejects(
    () => pipeOpen(TCP, { dest: "a.example:1", conf: { ...sockOnly, lookup } }),
    ResolveError,
    "no such name",
  );
});

Deno.test("sockProto: the protocol's own number, or 0 for whichever it is", async () => {
  for (const [proto, own, other] of [[TCP, 6, 17], [UDP, 17, 6]] as const) {
    for (const sockProto of [0, own]) {
      await using pipe = await pipeOpen(proto, { route, conf: { sockProto } });
      assertEquals(pipe.conf.sockProto, sockProto);
    }
    const wrong = () => pipeOpen(proto, { route, conf: { sockProto: other } });
    const { message } = await assertRejects(wrong, RangeError, "conf.sockProto: ");
    for (const part of [String(other), `"${proto}"`, `is ${own}`]) {
      assertStringIncludes(message, part);
    }
    for (const unknown of [1, 132, 255]) {
      const none = () => pipeOpen(proto, { route, conf: { sockProto: unknown } });
      await assertRejects(none, RangeError, String(unknown));
    }
  }
});

Deno.test("doClose: an aborted open closes what it made, and leaves what it was given", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = listener.addr;
  const conf = { doClose: false, useSsl: clientTls({ serverName: "localhost" }) };
  for (const given of [false, true]) {
    const sock = await Deno.connect({ hostname, port });
    const spare = await listener.accept();
    const controller = new AbortController();
    const { signal } = controller;
    const opening = given
      ? pipeOpen(TCP, { sock, signal, conf })
      : pipeOpen(TCP, { dest: [hostname, port], signal, conf });
    const peer = given ? spare : await listener.accept();
    assert((await peer.read(new Uint8Array(9)) ?? 0) > 0); // of the ClientHello
    const reason = new Error("not now");
    controller.abort(reason);
    assertStrictEquals(await assertRejects(() => opening), reason);
    if (given) await sock.write(encode("mine"));
    else assert((await drain(peer)).length > 0);
    for (const open of new Set([sock, spare, peer])) open.close();
  }
});

/** Closes a socket of Deno's, and tells whether that was still to be done. */
function wasOpen(sock: { close(): void }): boolean {
  try {
    sock.close();
    return true;
  } catch {
    return false;
  }
}

Deno.test("doClose: a given socket is closed too when opening fails before it was looked at", async () => {
  const reason = new TypeError("not now");
  const signal = AbortSignal.abort(reason);
  const useSsl = { cert: "no certificate", key: "no key" };
  for (const doClose of [true, false]) {
    const fails: [listener: Deno.Listener, options: PipeOptions, aborted: boolean][] = [
      [Deno.listen({ hostname: "127.0.0.1", port: 0 }), { conf: { doClose, useSsl } }, false],
      [Deno.listen({ hostname: "127.0.0.1", port: 0 }), { conf: { doClose }, signal }, true],
    ];
    for (const [sock, options, aborted] of fails) {
      const error = await assertRejects(() => pipeOpen(TCP, { ...options, sock } as PipeOptions));
      if (aborted) assertStrictEquals(error, reason);
      else {
        assertInstanceOf(error, PipeOpenError);
        assertEquals([error.phase, error.sock], ["tls", doClose ? undefined : sock]);
      }
      assertEquals(wasOpen(sock), !doClose);
    }
    const ended: string[] = [];
    const sock = {
      readable: new ReadableStream({ cancel: () => void ended.push("readable") }),
      writable: new WritableStream({ abort: () => void ended.push("writable") }),
    };
    await assertRejects(() => pipeOpen(TCP, { sock, conf: { doClose }, signal }));
    await turns(2);
    assertEquals(ended.sort(), doClose ? ["readable", "writable"] : []);
  }
});

Deno.test("doClose: a name that does not resolve, with a given datagram socket", {
  ignore: !hasDenoUdp,
}, async () => {
  const lookup: Lookup = () => Promise.resolve([]);
  for (const doClose of [true, false]) {
    const sock = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const open = () => pipeOpen(UDP, { sock, dest: "a.invalid:1", conf: { lookup, doClose } });
    const error = await assertRejects(open, ResolveError);
    assertEquals([error.addr, error.sock], ["a.invalid:1", doClose ? undefined : sock]);
    assertEquals(wasOpen(sock), !doClose);
  }
});
