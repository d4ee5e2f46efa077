/** Opening QUIC pipes: who is asked for, who is let in, and what is wrong with the rest. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { capabilities, pipeOpen, PipeOpenError, PipeTimeoutError, QUIC } from "@p2pd/pipes";
import { authority } from "../../helpers/certificates.ts";
import { recvText, until } from "../../helpers/pipes.ts";
import { hasDenoUdp, hasIPv6 } from "../../helpers/probes.ts";
import { ca, clientTls, serverCert, serverTls, stranger } from "../../helpers/tls.ts";
import { connectQuic, echo, ignore, quicPair, serveQuic } from "./quic.ts";
import { retaking } from "../../helpers/retaking.ts";

/** What a failed open says. */
async function failure(opening: Promise<AsyncDisposable>): Promise<PipeOpenError> {
  return await assertRejects(async () => {
    await using _opened = await opening;
  }, PipeOpenError);
}

for (const host of ["127.0.0.1", "::1"]) {
  Deno.test({
    name: `quic: a client and a server, and what each knows of the other (${host})`,
    ignore: ignore || (host === "::1" && !hasIPv6),
    async fn() {
      await using pair = await quicPair({ host }, { route: [host, 0] });
      const { server, client, accepted } = pair;
      for (const [from, to] of [[client, accepted], [accepted, client]] as const) {
        await from.send("hello");
        assertEquals(await recvText(to, 5), "hello");
      }
      const tls = {
        protocol: "TLSv1.3",
        alpnProtocol: "p2pd",
        serverName: undefined, // an address is none (RFC 6066, section 3)
        peerCertificate: undefined,
      };
      assertEquals(client.tls, { ...tls, authorized: true });
      assertEquals(accepted.tls, { ...tls, authorized: false });
      assertEquals(server.tls, undefined);
      assertEquals([client.role, accepted.role, server.role], ["client", "accepted", "server"]);
      for (const pipe of [client, accepted, server]) {
        assertEquals(pipe.proto, "quic");
        assertEquals(pipe.localAddr.transport, "udp");
        assertEquals(pipe.localAddr.hostname, host);
      }
      assertEquals(accepted.remoteAddr, client.localAddr);
      assertEquals(client.remoteAddr, server.localAddr);
      assertEquals(client.stats.bytesIn, 5);
    },
  });
}

Deno.test("quic: a name is looked up, asked for and proven", { ignore }, async () => {
  await using server = await serveQuic({ msgCb: echo });
  const dest = ["localhost", server.localAddr.port] as const;
  await using client = await connectQuic(server, { dest });
  await client.send("hi");
  assertEquals(await recvText(client, 2), "hi");
  assertEquals(client.tls?.serverName, "localhost");
  const [accepted] = server.clients;
  assertEquals(accepted?.tls?.serverName, "localhost");
});

Deno.test(
  "quic: ALPN agrees on the server's best, and shows it as it was named",
  { ignore },
  async () => {
    await using server = await serveQuic({ tls: { alpnProtocols: ["chat/2", "chat/1"] } });
    for (
      const [offered, expected] of [[["chat/1", "chat/2"], "chat/2"], [
        ["x", "chat/1"],
        "chat/1",
      ]] as const
    ) {
      await using client = await connectQuic(server, { tls: { alpnProtocols: offered } });
      assertEquals(client.tls?.alpnProtocol, expected);
    }
    const longest = "x".repeat(255);
    await using other = await serveQuic({ tls: { alpnProtocols: [longest] } });
    await using client = await connectQuic(other, { tls: { alpnProtocols: [longest] } });
    assertEquals(client.tls?.alpnProtocol, longest);
  },
);

Deno.test("quic: who cannot be verified is not connected to, phase tls", { ignore }, async () => {
  await using server = await serveQuic();
  const expired = await ca.issue({
    names: ["127.0.0.1"],
    notBefore: new Date(Date.now() - 20_000),
    notAfter: new Date(Date.now() - 10_000),
  });
  await using late = await serveQuic({ tls: expired });
  const cases = [
    [() => connectQuic(server, { tls: { caCerts: [stranger.cert] } }), /UnknownIssuer/],
    [() => connectQuic(server, { tls: { serverName: "bank.example" } }), /bank\.example/],
    [() => connectQuic(server, { tls: { alpnProtocols: ["other"] } }), /protocol/],
    [() => connectQuic(late), /[Ee]xpired/],
  ] as const;
  for (const [opening, why] of cases) {
    const { phase, message, addr } = await failure(opening());
    assertEquals(phase, "tls");
    assert(why.test(message), message);
    assertEquals(typeof addr, "object");
  }
  // It costs the server that connection alone.
  await until(() => server.stats.tlsFailed === 3, "three handshakes failed");
  for (const error of server.errors) {
    assertInstanceOf(error, PipeOpenError);
    assertEquals(error.phase, "tls");
  }
  server.addMsgCb(echo);
  await using client = await connectQuic(server);
  await client.send("still there?");
  assertEquals(await recvText(client, 12), "still there?");
});

Deno.test("quic: a session that is resumed is verified all the same", { ignore }, async () => {
  await using server = await serveQuic({ msgCb: echo });
  for (let i = 0; i < 3; i++) {
    await using client = await connectQuic(server);
    await client.send("hi");
    assertEquals(await recvText(client, 2), "hi");
    assertEquals((await failure(connectQuic(server, { tls: { caCerts: [] } }))).phase, "tls");
  }
});

Deno.test(
  "quic: nobody there: phase connect after conTimeout, and a signal's reason",
  { ignore },
  async () => {
    // A socket that hears and says nothing.
    const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const { port } = silent.addr as Deno.NetAddr;
    try {
      const dest = ["127.0.0.1", port] as const;
      const conf = { useSsl: clientTls(), conTimeout: 50 };
      const { phase, cause } = await failure(pipeOpen(QUIC, { dest, conf }));
      assertEquals(phase, "connect");
      assertInstanceOf(cause, PipeTimeoutError);
      const reason = new Error("changed my mind");
      const control = new AbortController();
      const opening = pipeOpen(QUIC, {
        dest,
        conf: { useSsl: clientTls() },
        signal: control.signal,
      });
      control.abort(reason);
      assertEquals(await opening.catch((error) => error), reason);
    } finally {
      silent.close();
    }
  },
);

Deno.test(
  "quic: the addresses of a name race each other",
  { ignore: ignore || !hasIPv6 },
  async () => {
    await using server = await serveQuic({ msgCb: echo });
    const { port } = server.localAddr;
    await using client = await connectQuic(server, {
      dest: ["both.example", port],
      tls: { serverName: "localhost" },
      conf: {
        useSsl: clientTls({ serverName: "localhost" }),
        lookup: () => Promise.resolve(["::1", "127.0.0.1"]),
      },
    });
    assertEquals(client.remoteAddr, server.localAddr);
  },
);

Deno.test(
  'quic: "*" listens on both families, and shows IPv4 peers as IPv4',
  { ignore: ignore || !hasIPv6 },
  async () => {
    await using server = await serveQuic({ route: "*:0", msgCb: echo });
    for (const host of ["127.0.0.1", "::1"]) {
      await using client = await connectQuic(server, { dest: [host, server.localAddr.port] });
      await client.send("hi");
      assertEquals(await recvText(client, 2), "hi");
      const [accepted] = server.clients;
      assertEquals(accepted?.remoteAddr?.hostname, host);
      await client.close();
      await until(() => server.clients.size === 0, "it is gone");
    }
  },
);

Deno.test(
  "quic: an address in use, phase bind; and one port is there again after close",
  {
    ignore,
  },
  retaking(async () => {
    const server = await serveQuic({ msgCb: echo });
    const error = await failure(serveQuic({ route: server.localAddr }));
    assertEquals(error.phase, "bind");
    {
      await using client = await connectQuic(server);
      await client.send("hi");
      assertEquals(await recvText(client, 2), "hi");
    }
    await server.close();
    await using again = await serveQuic({ route: server.localAddr, msgCb: echo });
    assertEquals(again.localAddr, server.localAddr);
    await using client = await connectQuic(again);
    await client.send("hi");
    assertEquals(await recvText(client, 2), "hi");
  }),
);

Deno.test("quic: one port can listen and connect", { ignore }, async () => {
  await using a = await serveQuic({ msgCb: echo });
  await using b = await serveQuic({ msgCb: echo });
  await using client = await connectQuic(b, { route: a.localAddr });
  assertEquals(client.localAddr, a.localAddr);
  await client.send("hi");
  assertEquals(await recvText(client, 2), "hi");
  await using other = await connectQuic(a);
  await other.send("hi");
  assertEquals(await recvText(other, 2), "hi");
  // What is connected from there goes on without the server.
  await a.close();
  await client.send("hi");
  assertEquals(await recvText(client, 2), "hi");
  const refused = await failure(connectQuic(a));
  assertEquals(refused.phase, "connect");
  assertInstanceOf(refused.cause, Deno.errors.ConnectionRefused);
});

Deno.test("quic: arguments that make no sense, before any socket", async () => {
  const key = serverCert.key;
  const cases: [Parameters<typeof pipeOpen>[1], string][] = [
    [{}, "conf.useSsl: a TLS server needs cert and key"],
    [{ conf: { useSsl: true } }, "conf.useSsl: a TLS server needs cert and key"],
    [
      { conf: { useSsl: { ...serverCert, clientAuth: "require", caCerts: [ca.cert] } } },
      "conf.useSsl.clientAuth",
    ],
    [{ conf: { useSsl: { ...serverCert, alpnProtocols: [] } } }, "conf.useSsl.alpnProtocols"],
    [{ dest: "localhost:1", conf: { useSsl: serverCert } }, "conf.useSsl.cert"],
    [{ dest: "localhost:1", conf: { sockOnly: true } }, "conf.sockOnly"],
    [{ dest: "localhost:1", conf: { reuseAddr: true } }, "conf.reuseAddr"],
    [{ dest: { path: "/tmp/x" } }, "dest: quic has no Unix sockets"],
  ];
  for (const [options, message] of cases) {
    const error = await assertRejects(() => pipeOpen(QUIC, options), TypeError, message);
    assert(!error.message.includes(key.slice(40, 80)));
  }
  const swapped = { ...serverCert, key: (await authority("x")).cert };
  const { phase } = await failure(pipeOpen(QUIC, { conf: { useSsl: swapped } }));
  assertEquals(phase, "tls");
});

Deno.test(
  "quic: without --unstable-net the error names the flag",
  { ignore: hasDenoUdp },
  async () => {
    assertEquals(capabilities().quic, { granted: false, flag: "--unstable-net" });
    for (const options of [{ dest: "127.0.0.1:1" }, { conf: { useSsl: serverTls() } }]) {
      const { phase, message } = await failure(pipeOpen(QUIC, options));
      assertEquals(phase, "permission");
      assert(message.includes("run with --unstable-net"), message);
    }
  },
);

Deno.test("quic: with --unstable-net the capability is there", { ignore }, () => {
  assertEquals(capabilities().quic, { granted: true, flag: "--unstable-net" });
});
