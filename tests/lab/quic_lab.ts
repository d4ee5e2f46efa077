/**
 * Bulk data over QUIC between two hosts (network namespaces) on a cable that loses packets, and with an
 * implementation of somebody else's. The figures that these tests print are those of CHANGELOG.
 *
 * `QUIC_LAB_MIB=1024 deno test -A --unstable-net tests/lab/quic_lab.ts` sends another number of MiB.
 */
import { type Pipe, pipeOpen, QUIC } from "@p2pd/pipes";
import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { authority } from "../helpers/certificates.ts";
import { withHost } from "./_cable.ts";
import { Growth, ip, Program, within } from "./_helpers.ts";
import { denoIn } from "./_hosts.ts";

const MIB = 1024 * 1024;
/** What takes half a minute on a machine of two cores that are busy. */
const TOTAL = Number(Deno.env.get("QUIC_LAB_MIB") ?? 256);
/** Milliseconds that it may take. */
const LIMIT = Math.max(60_000, TOTAL * 300);
/** Packets of a hundred that are lost, each way. */
const LOSS = 2;
/** MB that this process may grow by, whatever the size. */
const MOST = 128;

const ca = await authority("Lab CA");

/** Loses packets of UDP in both directions. */
async function lose(namespace: string, card: string): Promise<void> {
  // One packet at a time: a burst that the card would cut up would be lost as one.
  await ip("-n", namespace, "link", "set", card, "gso_max_segs", "1");
  const drop = `meta l4proto udp numgen random mod 100 < ${LOSS} counter drop`;
  const rules = `table inet lab {
    chain in { type filter hook input priority 0; ${drop}; }
    chain out { type filter hook output priority 0; ${drop}; }
  }`;
  await using nft = new Program("ip", ["netns", "exec", namespace, "nft", "-f", "-"]);
  await nft.write(rules);
  await nft.endInput();
  assertEquals((await nft.ended()).code, 0, await nft.stderr.text());
}

/** How many packets were lost. */
async function lost(namespace: string): Promise<number> {
  await using nft = new Program("ip", ["netns", "exec", namespace, "nft", "list", "ruleset"]);
  const counters = (await nft.stdout.text()).matchAll(/counter packets (\d+)/g);
  return [...counters].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Sends that many MiB, every one of which begins with its number; gives their hash. */
async function pour(pipe: Pipe, mib: number): Promise<string> {
  const hash = createHash("sha256");
  const block = new Uint8Array(MIB);
  for (let i = 0; i < 16; i++) crypto.getRandomValues(block.subarray(i * 65_536, (i + 1) * 65_536));
  for (let i = 0; i < mib; i++) {
    new DataView(block.buffer).setUint32(0, i);
    hash.update(block);
    await pipe.send(block);
  }
  return hash.digest("hex");
}

async function answer(pipe: Pipe): Promise<string> {
  let text = "";
  for await (const [data] of pipe) text += new TextDecoder().decode(data);
  return text;
}

Deno.test(`${TOTAL} MiB over QUIC with ${LOSS} % loss each way arrive unchanged`, () =>
  within(bulk(), "the end of the test", LIMIT));

async function bulk(): Promise<void> {
  await withHost(1, async (namespace, cable) => {
    assert(cable !== undefined);
    const address = `${cable.net}.2`;
    const { cert, key } = await ca.issue({ names: [address] });
    const flags = ["--unstable-net", "--allow-net"];
    await using peer = denoIn(namespace, flags, "./_quic_peer.ts", `${address}:0`, cert, key);
    const [, port] = await peer.stdout.line(/^port (\d+)/);
    await ip("link", "set", cable.here, "gso_max_segs", "1");
    await lose(namespace, cable.there);
    const conf = { useSsl: { caCerts: [ca.cert] }, conTimeout: 10_000 };
    using growth = new Growth();
    const start = performance.now();
    await using client = await pipeOpen(QUIC, { dest: [address, Number(port)], conf });
    const hash = await pour(client, TOTAL);
    await client.closeWrite();
    const reply = await within(answer(client), "the answer", LIMIT);
    const seconds = (performance.now() - start) / 1000;
    assertEquals(reply, `${TOTAL * MIB} ${hash}`);
    const packets = await lost(namespace);
    assert(packets > TOTAL, `only ${packets} packets were lost`);
    const { peak } = growth;
    console.log(
      `quic: ${TOTAL} MiB in ${seconds.toFixed(1)} s, ${Math.round(TOTAL * MIB / 1e6 / seconds)} ` +
        `MB/s, with ${packets} packets lost; this process grew by ${peak} MB`,
    );
    assert(peak < MOST, `grew by ${peak} MB`);
  });
}

/** ngtcp2's programs speak HTTP/3 (RFC 9114), of which a request and its answer are enough here. */
const missing = await new Deno.Command("sh", {
  args: ["-c", "command -v gtlsserver && command -v gtlsclient"],
})
  .output().then(({ stdout }) => new TextDecoder().decode(stdout).split("\n").length < 3);
const HEADERS = 1, DATA = 0;

/** A variable-length integer of four bytes (RFC 9000, section 16). */
function varint(value: number): number[] {
  return [0x80 | value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255];
}

/** Takes a frame off what was received: its type and its payload. */
function frame(bytes: Uint8Array, at: number): [type: number, payload: Uint8Array, next: number] {
  const number = () => {
    const first = bytes[at] ?? 0, size = 1 << (first >> 6);
    let value = first & 63;
    for (let i = 1; i < size; i++) value = value * 256 + (bytes[at + i] ?? 0);
    at += size;
    return value;
  };
  const [type, length] = [number(), number()];
  return [type, bytes.subarray(at, at + length), at + length];
}

async function everything(pipe: Pipe): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const [data] of pipe) parts.push(data);
  return new Uint8Array(await new Blob(parts.map((part) => part.slice())).arrayBuffer());
}

/** A directory with a file of random bytes, a certificate and its key. */
async function withFiles(
  test: (path: (name: string) => string, body: Uint8Array) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    const { cert, key } = await ca.issue({ names: ["localhost", "127.0.0.1"] });
    const body = new Uint8Array(1_000_000);
    for (let i = 0; i < body.length; i += 50_000) {
      crypto.getRandomValues(body.subarray(i, i + 50_000));
    }
    const path = (name: string) => `${dir}/${name}`;
    await Deno.writeTextFile(path("cert.pem"), cert);
    await Deno.writeTextFile(path("key.pem"), key);
    await Deno.writeFile(path("body"), body);
    await test(path, body);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test({
  name: "ngtcp2's server gives us a file, over streams of one connection and with losses",
  ignore: missing,
  fn: () =>
    withFiles(async (path, body) => {
      // Nobody tells which port it has chosen.
      const probe = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      const { port } = probe.addr as Deno.NetAddr;
      probe.close();
      const losses = ["--tx-loss=0.02", "--rx-loss=0.02"];
      const files = [path("key.pem"), path("cert.pem")];
      const args = ["-q", ...losses, `--htdocs=${path("")}`, "127.0.0.1", String(port), ...files];
      // Until it listens, packets are lost as others are, and sent again.
      await using _server = new Program("gtlsserver", args);
      const useSsl = { caCerts: [ca.cert], alpnProtocols: ["h3"] };
      const conf = { useSsl, conTimeout: 10_000 };
      await using first = await pipeOpen(QUIC, { dest: ["localhost", port], conf });
      assertEquals(first.tls?.alpnProtocol, "h3");
      const more = await Promise.all([1, 2, 3].map(() => pipeOpen(QUIC, { over: first })));
      await Promise.all([first, ...more].map(async (pipe) => {
        const [name, host] = ["/body", "localhost"].map((text) => new TextEncoder().encode(text));
        assert(name !== undefined && host !== undefined);
        // GET, https, the path and the host, by QPACK's static table (RFC 9204, appendix A).
        const fields = [0, 0, 0xd1, 0xd7, 0x51, name.length, ...name, 0x50, host.length, ...host];
        await pipe.send(new Uint8Array([HEADERS, fields.length, ...fields]));
        await pipe.closeWrite();
        const got = await everything(pipe);
        const [type, , next] = frame(got, 0);
        assertEquals(type, HEADERS);
        const parts: Uint8Array[] = [];
        for (let at = next; at < got.length;) {
          const [type, payload, end] = frame(got, at);
          assertEquals(type, DATA);
          parts.push(payload);
          at = end;
        }
        assertEquals(hashOf(...parts), hashOf(body));
        await pipe.close();
      }));
    }),
});

Deno.test({
  name: "ngtcp2's client gets files of us, over streams of one connection and with losses",
  ignore: missing,
  fn: () =>
    withFiles(async (path, body) => {
      const { cert, key } = await ca.issue({ names: ["localhost", "127.0.0.1"] });
      const head = [HEADERS, 3, 0, 0, 0xd9]; // status 200
      const answered: Promise<void>[] = [];
      await using server = await pipeOpen(QUIC, {
        route: "127.0.0.1:0",
        conf: { useSsl: { cert, key, alpnProtocols: ["h3"] } },
      });
      const serving = (async () => {
        for await (const pipe of server.connections()) {
          answered.push((async () => {
            const [type] = frame(await everything(pipe), 0);
            assertEquals(type, HEADERS);
            await pipe.send(new Uint8Array([...head, DATA, ...varint(body.length)]));
            await pipe.send(body);
            await pipe.close();
          })());
        }
      })();
      await Deno.mkdir(path("got"));
      const { port } = server.localAddr;
      const uris = ["a", "b", "c"].map((name) => `https://localhost:${port}/${name}`);
      const losses = ["--tx-loss=0.02", "--rx-loss=0.02"];
      const options = ["-q", ...losses, "--exit-on-all-streams-close", `--download=${path("got")}`];
      const args = [...options, "127.0.0.1", String(port), ...uris];
      await using client = new Program("gtlsclient", args);
      const { code } = await within(client.ended(), "the end of the client");
      assertEquals(code, 0, await client.stderr.text());
      for (const name of ["a", "b", "c"]) {
        assertEquals(hashOf(await Deno.readFile(path(`got/${name}`))), hashOf(body));
      }
      await Promise.all(answered);
      assertEquals(answered.length, 3);
      await server.close();
      await serving;
    }),
});

function hashOf(...parts: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}
