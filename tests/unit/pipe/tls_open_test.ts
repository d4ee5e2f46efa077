/** conf.useSsl: who is asked for, who is let in, and what `pipe.tls` says about it. */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { pipeOpen, PipeOpenError, TCP } from "@p2pd/pipes";
import { hasIPv6 } from "../../helpers/probes.ts";
import { recvText } from "../../helpers/pipes.ts";
import { authority } from "../../helpers/certificates.ts";
import {
  accept,
  ca,
  clientCert,
  connectTls,
  der,
  serverCert,
  serveTls,
  tap,
  tlsErrors,
  tlsPair,
} from "../../helpers/tls.ts";

for (const host of ["127.0.0.1", "::1"]) {
  Deno.test({
    name: `tls: a client and a server, and what each knows of the other (${host})`,
    ignore: host === "::1" && !hasIPv6,
    async fn() {
      await using pair = await tlsPair({ host });
      const { server, client, accepted } = pair;
      for (const [from, to] of [[client, accepted], [accepted, client]] as const) {
        await from.send("hello");
        assertEquals(await recvText(to, 5), "hello");
      }
      const { peerCertificate, ...rest } = client.tls ?? {};
      assertEquals(rest, {
        protocol: "TLSv1.3",
        alpnProtocol: null,
        serverName: undefined, // an address is none (RFC 6066, section 3)
        authorized: true,
      });
      assertEquals(accepted.tls, {
        protocol: "TLSv1.3",
        alpnProtocol: null,
        serverName: undefined,
        authorized: false,
        peerCertificate: undefined,
      });
      assertEquals(server.tls, undefined);
      assertEquals([client.role, accepted.role], ["client", "accepted"]);
      assertEquals(accepted.remoteAddr, client.localAddr);
      assert(peerCertificate !== undefined);
      assertEquals(peerCertificate.subject, "CN=localhost");
      assertEquals(peerCertificate.issuer, "CN=Test CA");
      assertEquals(peerCertificate.names.slice(0, 2), ["DNS:localhost", "IP Address:127.0.0.1"]);
      assertEquals(peerCertificate.names.length, 3);
      assertEquals(peerCertificate.raw, der(serverCert.cert));
      const hash = await crypto.subtle.digest("SHA-256", peerCertificate.raw.slice());
      const hex = new Uint8Array(hash).toHex().toUpperCase();
      assertEquals(peerCertificate.fingerprint256, hex.replace(/..(?!$)/g, "$&:"));
      // Its place in the DER: after the version.
      const serial = new RegExp(`a0030201020210${peerCertificate.serialNumber}`, "i");
      assert(serial.test(peerCertificate.raw.toHex()), peerCertificate.serialNumber);
      const halfHour = 1_800_000;
      for (const end of [peerCertificate.validFrom, peerCertificate.validTo]) {
        const away = Math.abs(end.getTime() - Date.now());
        assert(away > halfHour && away < 3 * halfHour, `${end}`);
      }
      assert(peerCertificate.validFrom < peerCertificate.validTo);
    },
  });
}

Deno.test("tls: useSsl false is no TLS", async () => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0", conf: { useSsl: false } });
  await using client = await pipeOpen(TCP, { dest: server.localAddr, conf: { useSsl: false } });
  await client.send("plain");
  const accepted = await accept(server);
  assertEquals(await recvText(accepted, 5), "plain");
  assertEquals([client.tls, accepted.tls], [undefined, undefined]);
});

Deno.test("tls: useSsl true verifies: it knows nobody who vouches for our server", async () => {
  await using server = await serveTls();
  const error = await assertRejects(
    () => pipeOpen(TCP, { dest: server.localAddr, conf: { useSsl: true } }),
    PipeOpenError,
  );
  assertEquals([error.phase, error.addr], ["tls", server.localAddr]);
  assert(error.cause instanceof Error);
});

Deno.test("tls: nothing of what is sent can be read on the way", async () => {
  await using server = await serveTls({ msgCb: (msg, _from, pipe) => pipe.send(msg) });
  await using between = await tap(server.localAddr);
  await using client = await connectTls(between.addr);
  await client.send("a secret for two");
  assertEquals(await recvText(client, 16), "a secret for two");
  assertEquals(between.seen().includes("secret"), false);
  assertNotEquals(between.seen(), "");
});

Deno.test("tls: the host in dest is asked for (SNI) and verified", async () => {
  await using server = await serveTls();
  await using between = await tap(server.localAddr);
  // Whoever answers for the name, the certificate must be for it.
  await using client = await connectTls(`localhost:${between.addr.port}`);
  const accepted = await accept(server);
  assertEquals([client.tls?.serverName, accepted.tls?.serverName], ["localhost", "localhost"]);
  assert(between.seen().includes("localhost"), "no SNI");
});

Deno.test("tls: serverName is asked for and verified in the place of dest", async () => {
  const cert = await ca.issue({ names: ["pipes.example"] });
  await using server = await serveTls({ tls: cert });
  await using client = await connectTls(server.localAddr, { tls: { serverName: "pipes.example" } });
  const accepted = await accept(server);
  assertEquals(client.tls?.serverName, "pipes.example");
  assertEquals(accepted.tls?.serverName, "pipes.example");
  // Neither the address in dest nor another name will do.
  await assertRejects(() => connectTls(server.localAddr), PipeOpenError, "127.0.0.1");
  const tls = { serverName: "other.example" };
  await assertRejects(() => connectTls(server.localAddr, { tls }), PipeOpenError, "other.example");
});

Deno.test("tls: one of several caCerts is enough, in one text or in several", async () => {
  const other = await authority("One more CA");
  await using server = await serveTls();
  for (const caCerts of [[other.cert, ca.cert], [other.cert + ca.cert]]) {
    await using client = await connectTls(server.localAddr, { tls: { caCerts } });
    assertEquals(client.tls?.authorized, true);
  }
});

Deno.test("tls: ALPN: the first of the server's protocols that the client has too", async () => {
  await using server = await serveTls({ tls: { alpnProtocols: ["h2", "x/1", "x/2"] } });
  await using client = await connectTls(server.localAddr, {
    tls: { alpnProtocols: ["y", "x/2", "x/1"] },
  });
  const accepted = await accept(server);
  assertEquals([client.tls?.alpnProtocol, accepted.tls?.alpnProtocol], ["x/1", "x/1"]);
});

for (
  const [who, serverSide, clientSide] of [
    ["only the server has some", { alpnProtocols: ["h2"] }, {}],
    ["only the client has some", {}, { alpnProtocols: ["h2"] }],
    ["the lists are empty", { alpnProtocols: [] }, { alpnProtocols: [] }],
  ] as const
) {
  Deno.test(`tls: ALPN: none is agreed on where ${who}`, async () => {
    await using pair = await tlsPair({ tls: serverSide }, { tls: clientSide });
    assertEquals(pair.client.tls?.alpnProtocol, null);
    assertEquals(pair.accepted.tls?.alpnProtocol, null);
  });
}

Deno.test("tls: ALPN: nothing in common ends the handshake, on both sides (RFC 7301)", async () => {
  await using server = await serveTls({ tls: { alpnProtocols: ["h2"] } });
  const error = await assertRejects(
    () => connectTls(server.localAddr, { tls: { alpnProtocols: ["x"] } }),
    PipeOpenError,
  );
  assertEquals(error.phase, "tls");
  await using _other = await connectTls(server.localAddr, { tls: { alpnProtocols: ["h2"] } });
  await accept(server);
  assertEquals(server.stats.tlsFailed, 1);
  assertEquals(tlsErrors(server.errors).length, 1);
});

for (const clientAuth of ["request", "require"] as const) {
  Deno.test(`tls: clientAuth "${clientAuth}": a client with a certificate is known`, async () => {
    await using pair = await tlsPair({ tls: { clientAuth, caCerts: [ca.cert] } }, {
      tls: clientCert,
    });
    const { authorized, peerCertificate } = pair.accepted.tls ?? {};
    assertEquals([authorized, peerCertificate?.subject], [true, "CN=client"]);
    assertEquals(peerCertificate?.raw, der(clientCert.cert));
    assertEquals(peerCertificate?.names, ["DNS:client"]);
    await pair.client.send("it is me");
    assertEquals(await recvText(pair.accepted, 8), "it is me");
  });
}

Deno.test('tls: clientAuth "request": a client without a certificate is let in unknown', async () => {
  await using pair = await tlsPair({ tls: { clientAuth: "request", caCerts: [ca.cert] } });
  const { authorized, peerCertificate } = pair.accepted.tls ?? {};
  assertEquals([authorized, peerCertificate], [false, undefined]);
  await pair.accepted.send("hello, whoever you are");
  assertEquals(await recvText(pair.client, 22), "hello, whoever you are");
});

Deno.test("tls: a client that is not asked for its certificate shows none", async () => {
  await using pair = await tlsPair({}, { tls: clientCert });
  assertEquals(pair.accepted.tls?.peerCertificate, undefined);
  assertEquals(pair.accepted.tls?.authorized, false);
});

Deno.test("tls: conf of a pipe opens another one, key and all", async () => {
  await using pair = await tlsPair({ tls: { clientAuth: "require", caCerts: [ca.cert] } }, {
    tls: clientCert,
  });
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0", conf: pair.server.conf });
  await using client = await pipeOpen(TCP, { dest: server.localAddr, conf: pair.client.conf });
  const accepted = await accept(server);
  assertEquals(accepted.tls?.peerCertificate?.subject, "CN=client");
  assertEquals(client.tls?.peerCertificate?.subject, "CN=localhost");
  // And so does an accepted pipe's.
  await using again = await pipeOpen(TCP, { route: "127.0.0.1:0", conf: accepted.conf });
  await using other = await pipeOpen(TCP, { dest: again.localAddr, conf: client.conf });
  assertEquals(other.tls?.authorized, true);
});

Deno.test({
  name: "tls: a client of a route, and with a name to look up",
  ignore: Deno.build.os !== "linux", // the others have one loopback address only
  async fn() {
    await using server = await serveTls();
    await using client = await connectTls(`localhost:${server.localAddr.port}`, {
      route: "127.0.0.77:0",
    });
    const accepted = await accept(server);
    assertEquals(accepted.remoteAddr, client.localAddr);
    assertEquals(client.localAddr.hostname, "127.0.0.77");
    assertEquals(client.tls?.serverName, "localhost");
  },
});
