/** Wrong values of conf.useSsl and conf.sslHandshake: named before any socket exists. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { NET_CONF, pipeOpen, type PipeOptions, TCP, type TlsConf, UDP } from "@p2pd/pipes";
import { resolveConf } from "../../../lib/pipe/conf.ts";
import { ca, clientCert, serverCert } from "../../helpers/tls.ts";

const { cert, key } = serverCert;
const caCerts = [ca.cert];
const server = { route: "127.0.0.1:0" } as const;
const client = { dest: "127.0.0.1:9" } as const;

const WRONG: readonly [
  useSsl: unknown,
  error: typeof TypeError | typeof RangeError,
  ...named: string[],
][] = [
  ["yes", TypeError, "conf.useSsl:", '"yes"'],
  [1, TypeError, "conf.useSsl:", "1"],
  [null, TypeError, "conf.useSsl:", "null"],
  [() => true, TypeError, "conf.useSsl:", "a function"],
  [{ certs: cert }, TypeError, "conf.useSsl:", '"certs"', "caCerts"],
  [{ toString: () => "" }, TypeError, "conf.useSsl:", '"toString"'],
  [{ caCerts: ca.cert }, TypeError, "conf.useSsl.caCerts:"],
  [{ caCerts: {} }, TypeError, "conf.useSsl.caCerts:", "{}"],
  [{ caCerts: [ca.cert, 7] }, TypeError, "conf.useSsl.caCerts[1]:", "7"],
  [{ caCerts: [""] }, TypeError, "conf.useSsl.caCerts[0]:", '""'],
  [{ caCerts: null }, TypeError, "conf.useSsl.caCerts:", "null"],
  [{ serverName: "" }, TypeError, "conf.useSsl.serverName:", '""'],
  [{ serverName: 4 }, TypeError, "conf.useSsl.serverName:", "4"],
  [{ serverName: "two words" }, TypeError, "conf.useSsl.serverName:", '"two words"'],
  [{ serverName: "a\0b" }, TypeError, "conf.useSsl.serverName:"],
  [{ serverName: `${"a".repeat(64)}.example` }, TypeError, "conf.useSsl.serverName:"],
  [{ serverName: "host:443" }, TypeError, "conf.useSsl.serverName:", '"host:443"'],
  [{ alpnProtocols: "h2" }, TypeError, "conf.useSsl.alpnProtocols:", '"h2"'],
  [{ alpnProtocols: ["h2", ""] }, TypeError, "conf.useSsl.alpnProtocols[1]:", '""'],
  [{ alpnProtocols: [2] }, TypeError, "conf.useSsl.alpnProtocols[0]:", "2"],
  [{ alpnProtocols: ["é".repeat(128)] }, RangeError, "conf.useSsl.alpnProtocols[0]:", "255"],
  [{ cert: "", key }, TypeError, "conf.useSsl.cert:", '""'],
  [{ cert: 5, key }, TypeError, "conf.useSsl.cert:", "5"],
  [{ cert: new TextEncoder().encode(cert), key }, TypeError, "conf.useSsl.cert:"],
  [{ cert }, TypeError, "conf.useSsl.key:", "missing"],
  [{ key }, TypeError, "conf.useSsl.cert:", "missing"],
  [{ cert, key: 5 }, TypeError, "conf.useSsl.key:", "number"],
  [{ cert, key: new TextEncoder().encode(key) }, TypeError, "conf.useSsl.key:", "object"],
  [{ cert, key: "" }, TypeError, "conf.useSsl.key:"],
  [{ cert, key, clientAuth: "maybe", caCerts }, TypeError, "conf.useSsl.clientAuth:", '"maybe"'],
  [{ cert, key, clientAuth: true, caCerts }, TypeError, "conf.useSsl.clientAuth:", "true"],
  [{ cert, key, clientAuth: "require" }, TypeError, "conf.useSsl.caCerts:", "missing"],
  [{ cert, key, clientAuth: "request", caCerts: [] }, TypeError, "conf.useSsl.caCerts:", "missing"],
];

for (const [useSsl, kind, ...named] of WRONG) {
  Deno.test(`tls: conf.useSsl ${brief(useSsl)} is refused`, async () => {
    const options: PipeOptions = { conf: { useSsl } as never };
    // A server has no use for a serverName, right or wrong.
    const sides = named[0]?.includes("serverName") ? [client] : [client, server];
    for (const side of sides) {
      const error = await assertRejects(() => pipeOpen(TCP, { ...side, ...options }), kind);
      for (const part of named) assert(error.message.includes(part), error.message);
      assert(!error.message.includes("KEY-----"), error.message);
    }
  });
}

const REFUSED: readonly [what: string, proto: "tcp" | "udp", options: PipeOptions, RegExp][] = [
  ["a server with true", TCP, { ...server, conf: { useSsl: true } }, /cert/],
  ["a server without a certificate", TCP, { ...server, conf: { useSsl: {} } }, /cert/],
  ["a server with caCerts only", TCP, { ...server, conf: { useSsl: { caCerts } } }, /cert/],
  ["a UDP client", UDP, { ...client, conf: { useSsl: true } }, /udp/i],
  ["a UDP server", UDP, { ...server, conf: { useSsl: { cert, key } } }, /udp/i],
  [
    "clientAuth on a client",
    TCP,
    { ...client, conf: { useSsl: { clientAuth: "require", caCerts } } },
    /clientAuth/,
  ],
  [
    "serverName on a server",
    TCP,
    { ...server, conf: { useSsl: { cert, key, serverName: "x" } } },
    /serverName/,
  ],
];

for (const [what, proto, options, named] of REFUSED) {
  Deno.test(`tls: conf.useSsl is refused: ${what}`, async () => {
    const { message } = await assertRejects(() => pipeOpen(proto, options), TypeError);
    assert(message.startsWith("conf.useSsl") && named.test(message), message);
  });
}

Deno.test("tls: conf.sslHandshake is a time", () => {
  for (const sslHandshake of [0, 1.5, Infinity]) {
    assertEquals(resolveConf({ sslHandshake }).sslHandshake, sslHandshake);
  }
  assertEquals([NET_CONF.useSsl, NET_CONF.sslHandshake], [false, 4000]);
  assertThrows(() => resolveConf({ sslHandshake: -1 }), RangeError, "conf.sslHandshake");
  assertThrows(() => resolveConf({ sslHandshake: NaN }), RangeError, "conf.sslHandshake");
  assertThrows(() => resolveConf({ sslHandshake: "4" }), TypeError, "conf.sslHandshake");
});

Deno.test("tls: the caller's conf is left alone, and changes to it come too late", () => {
  const given = { caCerts: [ca.cert], alpnProtocols: ["h2"], cert, key } satisfies TlsConf;
  const copy = structuredClone(given);
  const { useSsl } = resolveConf({ useSsl: given });
  assertEquals(given, copy);
  given.caCerts.push("more");
  given.alpnProtocols.push("x");
  given.cert = clientCert.cert;
  assert(typeof useSsl === "object");
  assertEquals([useSsl.caCerts, useSsl.alpnProtocols, useSsl.cert], [[ca.cert], ["h2"], cert]);
  assert([useSsl, useSsl.caCerts, useSsl.alpnProtocols].every(Object.isFrozen));
});

function brief(value: unknown): string {
  const text = typeof value === "function" ? "a function" : JSON.stringify(value);
  return text.replaceAll(/-----BEGIN[^"]*/g, "PEM").slice(0, 60);
}
