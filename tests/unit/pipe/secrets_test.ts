/** A private key is nowhere to be seen: not in errors, not in what a pipe shows, not in logs. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Pipe, pipeOpen, PipeOpenError, TCP, type TlsConf } from "@p2pd/pipes";
import { inspect } from "node:util";
import { recvText, until } from "../../helpers/pipes.ts";
import {
  accept,
  ca,
  clientCert,
  clientTls,
  connectTls,
  drain,
  isSocket,
  plain,
  serverCert,
  serveTls,
  tlsPair,
} from "../../helpers/tls.ts";

const route = "127.0.0.1:0";
const KEYS = [serverCert.key, clientCert.key];
/** Parts of them that nothing else has, however they were cut, quoted or decoded. */
const TELLING = [
  "PRIVATE KEY",
  ...KEYS.flatMap((key) => {
    const base64 = key.replace(/-----[^-]+-----|\s/g, "");
    const secret = Uint8Array.fromBase64(base64).subarray(36, 68); // the number itself (RFC 5915)
    return [base64.slice(48, 60), base64.slice(66, 78), base64.slice(78, 90), secret.toHex()];
  }),
];

/** Everything there is to read in a value, whatever tries to hide it. */
function revealed(value: unknown): string {
  const all = { depth: 20, showHidden: true, maxArrayLength: 1e4, maxStringLength: 1e6 };
  const texts = [
    Deno.inspect(value, {
      depth: 20,
      showHidden: true,
      iterableLimit: 1e4,
      strAbbreviateSize: 1e6,
    }),
    Deno.inspect(value, { depth: 20 }),
    inspect(value, all),
    String(value),
    json(value),
  ];
  for (let e = value; e instanceof Error; e = e.cause) {
    texts.push(e.message, e.stack ?? "", json({ ...e }));
    for (const name of Object.getOwnPropertyNames(e)) texts.push(String(Reflect.get(e, name)));
  }
  return texts.join("\n");
}

/** As `JSON.stringify`, which does not do circles. */
function json(value: unknown): string {
  const seen = new Set<unknown>();
  const once = (_key: string, member: unknown) => {
    if (typeof member === "bigint" || seen.has(member)) return undefined;
    if (typeof member === "object") seen.add(member);
    return member;
  };
  return JSON.stringify(value, once) ?? "";
}

function assertSecret(value: unknown): void {
  const text = revealed(value);
  // As text, and as bytes in decimal or in hexadecimal.
  const bytes = text.replace(/[\s,]|0x/g, "");
  for (const part of TELLING) {
    assert(!text.includes(part) && !bytes.includes(part), `shows ${part}: ${text.slice(0, 2000)}`);
  }
}

Deno.test("secrets: the search finds a key", () => {
  for (const key of KEYS) {
    for (const hidden of [{ a: { b: [key] } }, new Error("x", { cause: new Error(key) })]) {
      let found = false;
      try {
        assertSecret(hidden);
      } catch {
        found = true;
      }
      assert(found);
    }
  }
});

Deno.test("secrets: open pipes, their conf and their stats show no key", async () => {
  const tls: TlsConf = { clientAuth: "require", caCerts: [ca.cert] };
  await using pair = await tlsPair({ tls }, { tls: clientCert });
  const { server, client, accepted } = pair;
  await client.send("x");
  await recvText(accepted, 1);
  for (const pipe of [server, client, accepted] as Pipe[]) {
    assertSecret(pipe);
    assertSecret(pipe.conf);
    assertSecret(pipe.conf.useSsl);
    assertSecret({ ...pipe.conf });
    assertSecret(pipe.stats);
    assertSecret(pipe.tls);
    assertSecret(pipe.sock);
    assertSecret(structuredClone(pipe.conf.useSsl));
    const { useSsl } = pipe.conf;
    assert(typeof useSsl === "object");
    assertEquals(Reflect.ownKeys(useSsl).includes("key"), false);
    assertEquals(useSsl.key, undefined);
  }
  await client.close();
  await accepted.close();
  for (const pipe of [client, accepted]) {
    assertSecret(pipe);
    assertSecret(await pipe.closed);
    assertSecret(await assertRejects(() => pipe.send("x")));
  }
});

Deno.test("secrets: a pipe that has started TLS shows no key", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  await using accepted = await accept(server);
  const given: TlsConf = { ...serverCert };
  const serving = accepted.startTls(given);
  await client.startTls(clientTls());
  assertSecret(await serving);
  for (const pipe of [server, client, accepted]) assertSecret(pipe);
  for (const pipe of [client, accepted]) {
    assertSecret(await assertRejects(() => pipe.startTls(given)));
  }
});

const right = serverCert.key;
const bare = right.replace(/-----[^-]+-----/g, "");

/** Keys that are wrong, and right ones in the wrong place. */
const WRONG: readonly [what: string, tls: unknown][] = [
  ["of another certificate", { cert: serverCert.cert, key: clientCert.key }],
  ["spoilt", { cert: serverCert.cert, key: right.replace("\n", "\n!!") }],
  ["cut short", { cert: serverCert.cert, key: right.slice(0, 150) }],
  ["without its header", { cert: serverCert.cert, key: bare }],
  ["of an unknown kind", { cert: serverCert.cert, key: right.replaceAll("PRIVATE", "SECRET") }],
  ["as bytes", { cert: serverCert.cert, key: new TextEncoder().encode(right) }],
  ["in a list", { cert: serverCert.cert, key: [right] }],
  ["without its certificate", { key: right }],
  ["in the place of the certificate", { cert: right, key: serverCert.cert }],
  ["as certificate as well", { cert: right, key: right }],
  ["behind the certificate", { cert: serverCert.cert + right, key: clientCert.key }],
  ["in caCerts", { ...serverCert, caCerts: [right] }],
  ["as caCerts", { ...serverCert, caCerts: right }],
  ["in caCerts without its header", { ...serverCert, caCerts: [bare] }],
  ["as caCerts without its header", { ...serverCert, caCerts: bare }],
  ["as serverName", { serverName: right }],
  ["in alpnProtocols", { ...serverCert, alpnProtocols: [right + right] }],
  ["as clientAuth", { ...serverCert, clientAuth: right }],
  ["as useSsl", right],
  ["as the name of a field", { [right]: true }],
  ["in a field that does not exist", { ...serverCert, privateKey: right }],
];

for (const [what, useSsl] of WRONG) {
  Deno.test(`secrets: the error shows no key: ${what}`, async () => {
    const conf = { useSsl, sslHandshake: 50 } as never;
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    assertSecret(await assertRejects(() => pipeOpen(TCP, { route, conf })));
    assertSecret(
      await assertRejects(() => pipeOpen(TCP, { dest: listener.addr, conf })),
    );
    await using server = await pipeOpen(TCP, { route });
    await using client = await pipeOpen(TCP, { dest: server.localAddr });
    await using accepted = await accept(server);
    assertSecret(await assertRejects(() => accepted.startTls(useSsl as never)));
    assertSecret(accepted);
    client.abort();
  });
}

Deno.test("secrets: failed handshakes show no key, on either side", async () => {
  const tls: TlsConf = { clientAuth: "require", caCerts: [ca.cert] };
  await using server = await serveTls({ tls });
  const untrusting = { conf: { useSsl: { ...clientCert } } };
  assertSecret(await assertRejects(() => connectTls(server.localAddr, untrusting), PipeOpenError));
  using conn = await plain(server);
  await conn.write(new Uint8Array(100));
  await drain(conn);
  await until(() => server.errors.length === 2, "both errors");
  for (const error of server.errors) assertSecret(error);
  assertSecret(server);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conf = { useSsl: clientTls(clientCert), sslHandshake: 50, doClose: false };
  const error = await assertRejects(
    () => pipeOpen(TCP, { dest: listener.addr, conf }),
    PipeOpenError,
  );
  assertSecret(error);
  assert(isSocket(error.sock));
  await (await pipeOpen(TCP, { sock: error.sock })).close();
});

Deno.test("secrets: what the default onError prints has no key in it", async () => {
  const printed: string[] = [];
  const { error: original } = console;
  console.error = (...args: unknown[]) => void printed.push(args.map(revealed).join(" "));
  try {
    await using server = await pipeOpen(TCP, { route, conf: { useSsl: { ...serverCert } } });
    using conn = await plain(server);
    await conn.write(new Uint8Array(100));
    await drain(conn);
    await until(() => printed.length === 1, "the report");
  } finally {
    console.error = original;
  }
  assert(printed[0]?.includes("127.0.0.1"));
  for (const part of TELLING) assert(!printed.join().includes(part));
});
