/**
 * STUN with programs that others wrote: coturn as a server of RFC 5780, its clients, the RFC 3489 client
 * `stun` and a package of npm against our server.
 */
import { formatAddr, Interface, pipeOpen, TCP, UDP } from "@p2pd/pipes";
import {
  ATTRIBUTES,
  getMapping,
  getMappings,
  StunClient,
  StunError,
  type StunOptions,
} from "@p2pd/pipes/stun";
import { serveStun } from "@p2pd/pipes/testing";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { getAvailablePort } from "@std/net";
import { labTest, Program } from "./_helpers.ts";
import { tlsTest } from "./_tls.ts";

const HOST = "127.0.0.1", OTHER = "127.0.0.2";

/** A coturn, and its ports. */
interface Coturn extends AsyncDisposable {
  readonly port: number;
  readonly otherPort: number;
  readonly tlsPort: number;
}

/** Starts coturn as an RFC 5780 server of two IPv4 addresses and an IPv6 one. */
async function coturn(dir: string, ...more: readonly string[]): Promise<Coturn> {
  const [port, otherPort, tlsPort, otherTlsPort] = Array.from(
    { length: 4 },
    () => getAvailablePort(),
  );
  const flags = {
    p: port,
    "-alt-listening-port": otherPort,
    "-tls-listening-port": tlsPort,
    "-alt-tls-listening-port": otherTlsPort,
    "-cert": `${dir}/cert.pem`,
    "-pkey": `${dir}/key.pem`,
    "-pidfile": `${dir}/turnserver.pid`,
    "-userdb": `${dir}/turndb`,
    "-log-file": "stdout",
  };
  const listen = [HOST, OTHER, "::1"].flatMap((host) => ["-L", host]);
  const options = Object.entries(flags).flatMap(([name, value]) => [`-${name}`, String(value)]);
  const args = ["-n", ...listen, ...options, "--stun-only", "--no-dtls", "--no-cli", ...more];
  const program = new Program("turnserver", args);
  try {
    // It says nothing when it listens on all; this is after that.
    await program.stdout.line(/IO method \(auth thread\)/);
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
  return {
    port: port ?? 0,
    otherPort: otherPort ?? 0,
    tlsPort: tlsPort ?? 0,
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

tlsTest("coturn: the mapping over UDP, TCP and TLS, IPv4 and IPv6", async ({ dir, caCerts }) => {
  await using server = await coturn(dir);
  const tls = { conf: { useSsl: { caCerts, serverName: "localhost" } }, proto: TCP } as const;
  for (const host of [HOST, "::1"]) {
    const kinds: readonly (readonly [number, StunOptions])[] = [
      [server.port, { proto: UDP }],
      [server.port, { proto: TCP }],
      [server.tlsPort, tls],
    ];
    for (const [port, options] of kinds) {
      const route = [host, getAvailablePort()] as const;
      const mapping = await getMapping({ server: [host, port], route, ...options });
      const { mapped, local, responseOrigin, software } = mapping;
      assertEquals([mapped.hostname, mapped.port, mapped], [...route, local]);
      assertEquals([responseOrigin?.hostname, responseOrigin?.port], [host, port]);
      assertMatch(software ?? "", /^Coturn/);
    }
  }
  const uri = `stuns:localhost:${server.tlsPort}`;
  assertEquals((await getMapping({ server: uri, conf: tls.conf })).server.port, server.tlsPort);
});

tlsTest("coturn: CHANGE-REQUEST is answered from its other address and port", async ({ dir }) => {
  await using server = await coturn(dir);
  await using pipe = await pipeOpen(UDP, { route: [HOST, 0] });
  using client = new StunClient(pipe);
  const to = [HOST, server.port] as const;
  const { otherAddress } = await client.getMapping({ server: to });
  assertEquals([otherAddress?.hostname, otherAddress?.port], [OTHER, server.otherPort]);
  for (
    const [ip, port, from] of [
      [false, true, [HOST, server.otherPort]],
      [true, false, [OTHER, server.port]],
      [true, true, [OTHER, server.otherPort]],
    ] as const
  ) {
    const answer = await client.request({
      server: to,
      anyFrom: true,
      compose: (request) => request.with(ATTRIBUTES.changeRequest, { ip, port }),
    });
    assertEquals(formatAddr(answer.from), formatAddr({ hostname: from[0], port: from[1] }));
  }
  const servers = [[HOST, server.port], [OTHER, server.port], [HOST, server.otherPort]] as const;
  const { unanimous, answers } = await getMappings({ servers, route: [HOST, 0] });
  assertEquals([unanimous, answers.length], [true, 3]);
});

tlsTest("coturn: long-term credentials", async ({ dir }) => {
  const user = ["-a", "-u", "me:secret", "-r", "lab.example", "--secure-stun"];
  await using server = await coturn(dir, ...user);
  const to = { server: [HOST, server.port], route: [HOST, 0] } as const;
  const credentials = { username: "me", password: "secret" };
  assertEquals((await getMapping({ ...to, credentials })).mapped.hostname, HOST);
  const wrong = { username: "me", password: "guess" };
  for (const given of [wrong, undefined]) {
    const asking = () => getMapping({ ...to, credentials: given });
    const error = await assertRejects(asking, StunError);
    assertEquals([error.fault, error.code], ["unauthenticated", 401]);
  }
});

tlsTest("coturn: the cards of this machine are seen under their own addresses", async ({ dir }) => {
  await using server = await coturn(dir);
  const servers = [[HOST, server.port], ["::1", server.port]] as const;
  const nic = await Interface.get("lo").resolve({ servers });
  assertEquals(nic.routes("IPv4").routes.map((route) => route.ext()), [HOST]);
  assertEquals(nic.routes("IPv6").routes.map((route) => route.ext()), ["::1"]);
});

/** Runs a program to its end and gives what it printed. */
async function said(command: string, ...args: readonly string[]): Promise<string> {
  await using program = new Program(command, args);
  const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
  await program.ended();
  return out + err;
}

labTest("coturn's stunclient reads our server", async () => {
  await using server = await serveStun({ hosts: [HOST, OTHER] });
  const { port } = server.addr, otherPort = server.addrs[1]?.port;
  const out = await said("turnutils_stunclient", "-p", String(port), HOST);
  assertMatch(out, new RegExp(`Other addr: : ${OTHER}:${otherPort}`));
  assertMatch(out, new RegExp(`Response origin: : ${OTHER}:${otherPort}`));
  assertEquals(out.match(/UDP reflexive addr: 127\.0\.0\.1:\d+/g)?.length, 3);
  assertEquals(server.malformed, 0);
});

labTest("coturn's stunclient reads our server over IPv6", async () => {
  await using server = await serveStun({ hosts: ["::1"] });
  const out = await said("turnutils_stunclient", "-p", String(server.addr.port), "::1");
  assertMatch(out, /UDP reflexive addr: \[?::1\]?:\d+/);
});

labTest("coturn's natdiscovery finds no NAT with our server", async () => {
  await using server = await serveStun({ hosts: [HOST, OTHER] });
  const port = String(server.addr.port);
  const out = await said("turnutils_natdiscovery", "-m", "-f", "-p", port, HOST);
  assertMatch(out, /Endpoint Independent Mapping/);
  assertMatch(out, /Endpoint Independent Filtering/);
});

labTest("stun, a client of RFC 3489, reads our server", async () => {
  await using server = await serveStun({ hosts: [HOST, OTHER] });
  const out = await said("stun", `${HOST}:${server.addr.port}`, "-v");
  assertMatch(out, /Primary: Open/);
  assertMatch(out, new RegExp(`ChangedAddress = ${OTHER}:${server.addrs[1]?.port}`));
  assertMatch(out, /test I = 1\ntest II = 1\ntest III = 1\ntest I\(2\) = 1\nis nat {2}= 0\n/);
});

/** Asks a server, and prints the address as JSON. */
const NPM_CLIENT = `
import stun from "npm:stun@2.1.0";
const answer = await stun.request(process.argv[2]);
console.log(JSON.stringify(answer.getXorAddress()));
process.exit(0);
`;

tlsTest("npm's stun reads the same from our server and from coturn", async ({ dir }) => {
  await using ours = await serveStun();
  await using theirs = await coturn(dir);
  const script = `${dir}/client.mjs`;
  await Deno.writeTextFile(script, NPM_CLIENT);
  for (const port of [ours.addr.port, theirs.port]) {
    const flags = ["run", "-A", "--quiet", "--no-lock", "--no-config"];
    const out = await said(Deno.execPath(), ...flags, script, `${HOST}:${port}`);
    assertMatch(out, /\{"port":\d+,"family":"IPv4","address":"127\.0\.0\.1"\}/);
  }
  assert(ours.requests > 0);
});
