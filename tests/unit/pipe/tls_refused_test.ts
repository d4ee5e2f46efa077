/** What a TLS pipe does not accept: certificates, keys and their absence. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { PipeClosedError, pipeOpen, PipeOpenError, TCP } from "@p2pd/pipes";
import { type Certificate, selfSigned } from "../../helpers/certificates.ts";
import { freePort, recvText, until } from "../../helpers/pipes.ts";
import {
  accept,
  ca,
  clientCert,
  clientTls,
  connectTls,
  serverCert,
  serverTls,
  serveTls,
  stranger,
  tlsErrors,
} from "../../helpers/tls.ts";

const route = "127.0.0.1:0";
const names = ["localhost", "127.0.0.1"] as const;
const DAY = 86_400_000;
const past = (days: number) => new Date(Date.now() - days * DAY);

const BAD: readonly [what: string, cert: () => Promise<Certificate>, why: RegExp][] = [
  ["of another name", () => ca.issue({ names: ["other.example"] }), /127\.0\.0\.1/],
  ["of another address", () => ca.issue({ names: ["127.0.0.2", "::1"] }), /127\.0\.0\.1/],
  [
    "that has expired",
    () => ca.issue({ names, notBefore: past(9), notAfter: past(1) }),
    /expired/i,
  ],
  [
    "that is not valid yet",
    () => ca.issue({ names, notBefore: past(-1), notAfter: past(-9) }),
    /not.*yet|not.*valid/i,
  ],
  ["of an authority that is not trusted", () => stranger.issue({ names }), /trust|issuer|unknown/i],
  ["that signed itself", () => selfSigned({ names }), /self|trust|issuer|unknown/i],
  ["that is a client's", () => ca.issue({ names, client: true }), /purpose|usage/i],
];

for (const [what, cert, why] of BAD) {
  Deno.test(`tls: a client refuses a certificate ${what}`, async () => {
    let came = 0;
    await using server = await serveTls({ tls: await cert(), msgCb: () => came++ });
    const error = await assertRejects(() => connectTls(server.localAddr), PipeOpenError);
    assertEquals([error.phase, error.addr], ["tls", server.localAddr]);
    assert(error.message.includes(`127.0.0.1:${server.localAddr.port}`), error.message);
    assert(why.test(error.message), error.message);
    assertInstanceOf(error.cause, Error);
    assertEquals(came, 0);
  });
}

Deno.test("tls: a certificate that signed itself is accepted by who has it in caCerts", async () => {
  const own = await selfSigned({ names });
  await using server = await serveTls({ tls: own });
  await using client = await connectTls(server.localAddr, { tls: { caCerts: [own.cert] } });
  assertEquals(client.tls?.authorized, true);
});

const NO_KEY = "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n";
const bare = (pem: string) => pem.replace(/-----[^-]+-----/g, "");
const garbled = (pem: string) => pem.replace(/\n[^-]{20}/, "\n!!!!!!!!!!!!!!!!!!!!");
const cut = (pem: string) => pem.replace(/[^-]{30}\n-----END/, "\n-----END");

const BAD_OWN: readonly [what: string, own: Certificate][] = [
  ["a key of another certificate", { cert: serverCert.cert, key: clientCert.key }],
  ["a cert without its PEM header", { ...serverCert, cert: bare(serverCert.cert) }],
  ["a key without its PEM header", { ...serverCert, key: bare(serverCert.key) }],
  ["a cert that is no base64", { ...serverCert, cert: garbled(serverCert.cert) }],
  ["a key that is no base64", { ...serverCert, key: garbled(serverCert.key) }],
  ["a cert cut short", { ...serverCert, cert: cut(serverCert.cert) }],
  ["a key cut short", { ...serverCert, key: cut(serverCert.key) }],
  ["a key with nothing in it", { ...serverCert, key: NO_KEY }],
  ["a broken certificate in its chain", {
    ...serverCert,
    cert: serverCert.cert + garbled(ca.cert),
  }],
  ["cert and key in each other's place", { cert: serverCert.key, key: serverCert.cert }],
];

for (const [what, own] of BAD_OWN) {
  Deno.test(`tls: a server does not open with ${what}`, async () => {
    const at = ["127.0.0.1", freePort()] as const;
    const error = await assertRejects(
      () => pipeOpen(TCP, { route: at, conf: { useSsl: serverTls(own) } }),
      PipeOpenError,
    );
    assertEquals(error.phase, "tls");
    await (await pipeOpen(TCP, { route: at })).close(); // the port is free
  });

  Deno.test(`tls: a client does not open with ${what}`, async () => {
    const tls = { clientAuth: "require", caCerts: [ca.cert] } as const;
    await using server = await serveTls({ tls });
    const error = await assertRejects(
      () => connectTls(server.localAddr, { tls: own }),
      PipeOpenError,
    );
    assertEquals(error.phase, "tls");
  });
}

for (
  const [what, caCert] of [
    ["without its PEM header", bare(ca.cert)],
    ["that is no base64", garbled(ca.cert)],
    ["cut short", cut(ca.cert)],
    ["with a broken one behind it", ca.cert + garbled(ca.cert)],
    ["that is a key", serverCert.key],
    ["that is no PEM at all", "trust everybody"],
  ] as const
) {
  Deno.test(`tls: nobody opens with one of caCerts ${what}`, async () => {
    const caCerts = [ca.cert, caCert];
    const serving = () => serveTls({ tls: { caCerts, clientAuth: "request" } });
    assertEquals((await assertRejects(serving, PipeOpenError)).phase, "tls");
    await using server = await serveTls();
    const connecting = () => connectTls(server.localAddr, { tls: { caCerts } });
    assertEquals((await assertRejects(connecting, PipeOpenError)).phase, "tls");
  });
}

/** What "require" must not let in; each may learn of it only when it reads (TLS 1.3). */
const UNWELCOME: readonly [what: string, own: () => Promise<Certificate | undefined>][] = [
  ["without a certificate", () => Promise.resolve(undefined)],
  ["with one of another authority", () => stranger.issue({ names: ["client"], client: true })],
  ["with one that signed itself", () => selfSigned({ names: ["client"], client: true })],
  [
    "with one that has expired",
    () => ca.issue({ names: ["client"], client: true, notBefore: past(9), notAfter: past(1) }),
  ],
  ["with one for a server", () => ca.issue({ names: ["client"] })],
];

for (const [what, own] of UNWELCOME) {
  Deno.test(`tls: clientAuth "require" refuses a client ${what}`, async () => {
    const log: string[] = [];
    await using server = await serveTls({
      tls: { clientAuth: "require", caCerts: [ca.cert] },
      upCb: () => void log.push("up"),
      msgCb: () => void log.push("message"),
      endCb: () => void log.push("end"),
    });
    const tls = await own();
    const refused = async () => {
      await using client = await connectTls(server.localAddr, tls === undefined ? {} : { tls });
      await client.send("let me in").catch(() => {}); // it may not know yet
      await client.recv();
    };
    const error = await assertRejects(refused);
    if (error instanceof PipeOpenError) assertEquals(error.phase, "tls");
    else assertInstanceOf(error, PipeClosedError);
    await until(() => server.stats.tlsFailed === 1, "the refusal");
    assertEquals([log, server.clients.size, server.stats.messagesIn], [[], 0, 0]);
    assertEquals(tlsErrors(server.errors).length, 1);
    await using client = await connectTls(server.localAddr, { tls: clientCert });
    assertEquals((await accept(server)).tls?.peerCertificate?.subject, "CN=client");
    await client.closeWrite();
  });
}

Deno.test('tls: clientAuth "request": a certificate that is not valid makes nobody known', async () => {
  const tls = { clientAuth: "request", caCerts: [ca.cert] } as const;
  await using server = await serveTls({ tls });
  const own = await stranger.issue({ names: ["client"], client: true });
  await using client = await connectTls(server.localAddr, { tls: own });
  const accepted = await accept(server);
  assertEquals(accepted.tls?.authorized, false);
  await client.send("hello");
  assertEquals(await recvText(accepted, 5), "hello");
});

Deno.test("tls: a server with clientAuth trusts its caCerts alone", async () => {
  // Whoever is in its own chain has not thereby become somebody who vouches for clients.
  const chain = { ...serverCert, cert: serverCert.cert + ca.cert };
  const tls = { ...chain, clientAuth: "require", caCerts: [stranger.cert] } as const;
  await using server = await serveTls({ tls });
  await assertRejects(async () => {
    await using client = await connectTls(server.localAddr, { tls: clientCert });
    await client.recv();
  });
  await until(() => server.stats.tlsFailed === 1, "the refusal");
});

Deno.test("tls: a client of a plain server fails, whatever that answers", async () => {
  for (const answer of ["220 mail.example ready\r\n", undefined]) {
    await using server = await pipeOpen(TCP, {
      route,
      // Undefined: what the client says comes back.
      upCb: (_msg, _from, pipe) => answer && pipe.send(answer),
      msgCb: (msg, _from, pipe) => answer === undefined && pipe.send(msg),
    });
    const error = await assertRejects(
      () => pipeOpen(TCP, { dest: server.localAddr, conf: { useSsl: clientTls() } }),
      PipeOpenError,
    );
    assertEquals([error.phase, error.addr], ["tls", server.localAddr]);
    await until(() => server.clients.size === 0, "the client's going");
  }
});
