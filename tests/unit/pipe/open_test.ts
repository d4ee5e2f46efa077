/** Opening: wrong calls before any socket exists, and opens that fail. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  NET_CONF,
  pipeOpen,
  PipeOpenError,
  type PipeOptions,
  PipeTimeoutError,
  ResolveError,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { freePort } from "../../helpers/pipes.ts";

/** Calls with whatever the types would not let through. */
// deno-lint-ignore no-explicit-any
const openWith = (proto: any, options?: any) => pipeOpen(proto, options);

const WRONG: [
  what: string,
  proto: unknown,
  options: unknown,
  error: "type" | "range",
  says: string,
][] = [
  ["unknown proto", "sctp", {}, "type", '"sctp"'],
  ["no proto", undefined, {}, "type", "undefined"],
  ["options null", TCP, null, "type", "null"],
  ["unknown option", TCP, { destination: "x:1" }, "type", "destination"],
  ["port 65536", TCP, { dest: ["127.0.0.1", 65536] }, "range", "65536"],
  ["port -1", TCP, { dest: ["127.0.0.1", -1] }, "range", "-1"],
  ["port 1.5", UDP, { dest: ["127.0.0.1", 1.5] }, "range", "1.5"],
  ["port by name", TCP, { dest: "127.0.0.1:http" }, "range", "http"],
  ["port 0 to connect to", TCP, { dest: "127.0.0.1:0" }, "range", "0"],
  ["no port", TCP, { dest: "127.0.0.1" }, "type", "127.0.0.1"],
  ["1.2.3", TCP, { dest: ["1.2.3", 80] }, "type", "1.2.3"],
  ["1.2.3 as route", UDP, { route: "1.2.3:80" }, "type", "1.2.3"],
  ["[::1", TCP, { dest: "[::1" }, "type", "[::1"],
  ["empty host", TCP, { dest: ":80" }, "type", "host"],
  ["empty host in a pair", UDP, { dest: ["", 80] }, "type", "host"],
  ["a number as dest", UDP, { dest: 80 }, "type", "80"],
  ["* as dest", TCP, { dest: "*:80" }, "type", "*"],
  ["* as a client's route", TCP, { dest: "127.0.0.1:80", route: "*:0" }, "type", "*"],
  ["a name as route", TCP, { route: "localhost:0" }, "type", "localhost"],
  ["an empty path", TCP, { dest: { path: "" } }, "type", "path"],
  ["a path that is no text", TCP, { route: { path: 7 } }, "type", "path"],
  ["a NUL in a path", TCP, { dest: { path: "/a\0b" } }, "type", "NUL"],
  ["a path too long", TCP, { route: { path: "/".padEnd(109, "x") } }, "range", "bytes"],
  ["a path and an address", TCP, { dest: { path: "/a" }, route: "127.0.0.1:0" }, "type", "meet"],
  ["an address and a path", UDP, { dest: "127.0.0.1:1", route: { path: "/a" } }, "type", "meet"],
  ["a Unix client's path", TCP, { dest: { path: "/a" }, route: { path: "/b" } }, "type", "/b"],
  ["a Unix datagram client without one", UDP, { dest: { path: "/a" } }, "type", "route"],
  ["a path shared", TCP, { route: { path: "/a" }, conf: { reuseAddr: true } }, "type", "reuseAddr"],
  [
    "a group on a path",
    UDP,
    { route: { path: "/a" }, conf: { multicast: { group: "224.0.0.251" } } },
    "type",
    "multicast",
  ],
  ["a group for TCP", TCP, { conf: { multicast: { group: "224.0.0.251" } } }, "type", "multicast"],
  ["TLS over UDP", UDP, { conf: { useSsl: true } }, "type", "useSsl"],
  ["a TLS server without a certificate", TCP, { conf: { useSsl: true } }, "type", "cert"],
  [
    "TLS on a path, nameless",
    TCP,
    { dest: { path: "/a" }, conf: { useSsl: true } },
    "type",
    "Name",
  ],
  ["families that cannot meet", TCP, { dest: "[::1]:80", route: "127.0.0.1:0" }, "type", "IPv6"],
  ["unknown conf key", TCP, { conf: { recvTimout: 1 } }, "type", "recvTimeout"],
  ["conf is no object", TCP, { conf: 5 }, "type", "conf"],
  ["negative time", TCP, { conf: { conTimeout: -1 } }, "range", "conTimeout"],
  ["a time that is no number", TCP, { conf: { dnsTimeout: "2 s" } }, "type", "dnsTimeout"],
  ["half a message", UDP, { conf: { maxQsize: 1.5 } }, "range", "maxQsize"],
  ["readerLimit 0", TCP, { conf: { readerLimit: 0 } }, "range", "readerLimit"],
  ["a flag that is no boolean", UDP, { conf: { broadcast: 1 } }, "type", "broadcast"],
  ["an unknown framing", TCP, { conf: { framing: "lines" } }, "type", "framing"],
  ["onError no function", TCP, { conf: { onError: null } }, "type", "onError"],
  ["msgCb no function", TCP, { msgCb: "print" }, "type", "msgCb"],
  ["upCb no function", UDP, { upCb: {} }, "type", "upCb"],
  ["endCb no function", UDP, { endCb: 1 }, "type", "endCb"],
  ["signal no signal", UDP, { signal: {} }, "type", "signal"],
  ["sock no socket", TCP, { sock: {} }, "type", "sock"],
  ["sock of another proto", UDP, { sock: { accept() {} } }, "type", "sock"],
];

for (const [what, proto, options, kind, says] of WRONG) {
  Deno.test(`open: a wrong call: ${what}`, async () => {
    const error = await assertRejects(() => openWith(proto, options));
    assertInstanceOf(error, kind === "type" ? TypeError : RangeError);
    assert(error.message.includes(says), `"${error.message}" names "${says}"`);
  });
}

Deno.test("open: dest together with a listener or a connection as sock", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dest = ["127.0.0.1", 9] as const;
  await assertRejects(() => openWith(TCP, { sock: listener, dest }), TypeError, "listener");
  await assertRejects(() => openWith(UDP, { sock: listener }), TypeError, "sock");
  await assertRejects(
    () => openWith(TCP, { sock: listener, route: "1.2.3.4:5" }),
    TypeError,
    "route",
  );
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  await assertRejects(() => openWith(TCP, { sock: conn, dest }), TypeError, "connection");
  (await listener.accept()).close();
});

Deno.test("open: the caller's objects are not changed, and NET_CONF cannot be", async () => {
  const conf = Object.freeze({ recvTimeout: 7, maxQsize: undefined });
  const options: PipeOptions = Object.freeze({
    route: Object.freeze(["127.0.0.1", 0] as const),
    conf,
  });
  await using server = await pipeOpen(TCP, options);
  assertEquals([server.conf.recvTimeout, server.conf.maxQsize], [7, 0]);
  assert(Object.isFrozen(NET_CONF));
});

Deno.test("open: a refused connection is phase connect, with address and cause", async () => {
  const dest = ["127.0.0.1", freePort()] as const;
  const error = await assertRejects(() => pipeOpen(TCP, { dest }), PipeOpenError);
  assertEquals(error.phase, "connect");
  assertEquals(error.addr, { transport: "tcp", hostname: "127.0.0.1", port: dest[1] });
  assertInstanceOf(error.cause, Deno.errors.ConnectionRefused);
  assert(error.message.includes(`127.0.0.1:${dest[1]}`));
});

Deno.test("open: every address of a name is tried", async () => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const dest = ["localhost", server.localAddr.port] as const;
  await using client = await pipeOpen(TCP, { dest });
  assertEquals(client.remoteAddr, server.localAddr);
  assertEquals(await client.send("to its own name", dest), 15);
});

for (const proto of [TCP, UDP]) {
  Deno.test(`open: a port in use is phase bind (${proto})`, async () => {
    await using server = await pipeOpen(proto, { route: "127.0.0.1:0" });
    const error = await assertRejects(
      () => pipeOpen(proto, { route: server.localAddr }),
      PipeOpenError,
    );
    assertEquals(error.phase, "bind");
    assertEquals(error.addr, { ...server.localAddr });
    assert(error.cause instanceof Error);
  });

  Deno.test(`open: an address of another machine cannot be bound (${proto})`, async () => {
    const error = await assertRejects(
      () => pipeOpen(proto, { route: "192.0.2.1:0" }),
      PipeOpenError,
    );
    assertEquals(error.phase, "bind");
  });

  Deno.test(`open: conf.reuseAddr lets two pipes listen on one port (${proto})`, async () => {
    const conf = { reuseAddr: true };
    await using a = await pipeOpen(proto, { route: "127.0.0.1:0", conf });
    await using b = await pipeOpen(proto, { route: a.localAddr, conf });
    assertEquals(b.localAddr, a.localAddr);
  });

  Deno.test(`open: an aborted signal (${proto})`, async () => {
    const reason = new Error("not now");
    const signal = AbortSignal.abort(reason);
    const open = () => pipeOpen(proto, { route: "127.0.0.1:0", signal });
    assertStrictEquals(await assertRejects(open), reason);
  });

  Deno.test(`open: a name that does not exist is phase resolve (${proto})`, async () => {
    const error = await assertRejects(
      () => pipeOpen(proto, { dest: "does-not-exist.invalid:80" }),
      ResolveError,
    );
    assertEquals(error.phase, "resolve");
    assert(error.message.includes("does-not-exist.invalid"));
    assert(error.cause !== undefined);
  });
}

Deno.test("open: a client bound to an address that is not here is phase bind", async () => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const error = await assertRejects(
    () => pipeOpen(TCP, { dest: server.localAddr, route: "192.0.2.1:0" }),
    PipeOpenError,
  );
  assertEquals(error.phase, "bind");
});

Deno.test("open: a client leaves by its route, address and port", async () => {
  await using server = await pipeOpen(TCP, { route: "*:0" });
  const port = freePort();
  const dest = ["127.0.0.1", server.localAddr.port] as const;
  await using client = await pipeOpen(TCP, { dest, route: ["127.0.0.2", port] });
  await using accepted = await server.accept();
  assertEquals(client.localAddr, { transport: "tcp", hostname: "127.0.0.2", port });
  assertEquals(accepted?.remoteAddr, client.localAddr);
});

Deno.test("open: * listens on both families, and shows IPv4 peers as IPv4", async () => {
  for (const proto of [TCP, UDP]) {
    await using server = await pipeOpen(proto, {
      route: "*:0",
      msgCb: (msg, from, pipe) => pipe.send(`${from.hostname} ${msg.length}`, from),
    });
    for (const host of ["127.0.0.1", "::1"]) {
      if (host === "::1" && server.localAddr.hostname !== "::") continue;
      await using client = await pipeOpen(proto, { dest: [host, server.localAddr.port] });
      await client.send("four");
      assertEquals(new TextDecoder().decode((await client.recv()) ?? undefined), `${host} 4`);
    }
  }
});

Deno.test("open: a connect that gets no answer ends after conTimeout, or by its signal", async () => {
  // A full backlog: the system answers no further connection to this listener.
  const full = await clogged();
  try {
    const slow = await assertRejects(
      () => pipeOpen(TCP, { dest: full.dest, conf: { conTimeout: 30 } }),
      PipeOpenError,
      "30 ms",
    );
    assertEquals(slow.phase, "connect");
    assertInstanceOf(slow.cause, PipeTimeoutError);
    const controller = new AbortController();
    const opening = pipeOpen(TCP, { dest: full.dest, signal: controller.signal });
    controller.abort("enough");
    assertEquals(await opening.catch((reason) => reason), "enough");
  } finally {
    full.close();
  }
});

/** A listener that accepts nothing, with connections until it takes no more. */
async function clogged(): Promise<{ dest: [string, number]; close(): void }> {
  const options = { hostname: "127.0.0.1", port: 0, tcpBacklog: 1 }; // the last is not in the types
  const listener = Deno.listen(options);
  const conns: Deno.TcpConn[] = [];
  const dest: [string, number] = ["127.0.0.1", listener.addr.port];
  for (let i = 0; i < 2000; i++) {
    const signal = AbortSignal.timeout(100);
    try {
      conns.push(await Deno.connect({ hostname: dest[0], port: dest[1], signal }));
    } catch {
      break;
    }
  }
  return {
    dest,
    close: () => {
      for (const conn of conns) conn.close();
      listener.close();
    },
  };
}

Deno.test("open: sock makes a pipe of an open connection and of a listener", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using server = await pipeOpen(TCP, {
    sock: listener,
    msgCb: (msg, _from, pipe) => pipe.send(msg),
  });
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.localAddr.port });
  await using client = await pipeOpen(TCP, { sock: conn });
  assertEquals([client.role, client.sock], ["client", conn]);
  await client.send("adopted");
  assertEquals(await client.recv(), new TextEncoder().encode("adopted"));
});
