/**
 * Acknowledged datagrams at length: in the simulator, over links that lose packets, with the nine bytes
 * written down a second time in Python, and under a flood.
 */
import { pipeOpen, PipeTimeoutError, RUDP } from "@p2pd/pipes";
import { assert, assertEquals } from "@std/assert";
import { traffic } from "../unit/rudp/traffic.ts";
import { denoIn } from "./_hosts.ts";
import { join, labTest, noise, portOf, Program, python, sha256, within } from "./_helpers.ts";
import type { Part, Received, Sent } from "./_rudp_peer.ts";
import { FAR, withWorld } from "./_rudp_world.ts";

const MIB = 1024 * 1024;

for (const loss of [0, 0.01, 0.05, 0.2]) {
  labTest(
    `simulator: 100,000 messages, ${loss * 100} % lost, 10 % doubled and reordered`,
    async () => {
      await Promise.resolve();
      const weather = { loss, duplication: 0.1, reordering: 0.1, latency: 10, jitter: 5 };
      const { failed, packets, seconds, duplicates } = traffic(100_000, 1, weather);
      assert(failed <= 1000, `${failed} given up`);
      console.log(
        `${loss * 100} %: ${
          packets.toFixed(2)
        } packets for each message, ${duplicates} duplicates, ` +
          `${seconds.toFixed(0)} simulated s, ${failed} given up`,
      );
    },
  );
}

/** Runs a part in a namespace. */
const peerIn = (namespace: string, part: Part) =>
  denoIn(
    namespace,
    ["--allow-net", "--unstable-net", "--v8-flags=--expose-gc"],
    "_rudp_peer.ts",
    JSON.stringify(part),
  );

async function report<T>(program: Program): Promise<T> {
  const [line] = await program.stdout.line(/^\{.*$/);
  return JSON.parse(line);
}

/** Many messages through the box; what was acknowledged must have arrived once, as it was sent. */
async function overLink(loss: number, pipes: number): Promise<string> {
  const count = 100_000;
  let summary = "";
  await withWorld(async ({ near, far, set }) => {
    await set({ loss, duplication: 0.1 });
    await using receiver = peerIn(far, { role: "receiver", route: `${FAR}:0`, count });
    const port = await portOf(receiver.stdout, /port (\d+)/);
    await using sender = peerIn(near, {
      role: "sender",
      dest: `${FAR}:${port}`,
      count,
      pipes,
      pending: Math.max(2, 1000 / pipes),
    });
    for (let i = 0; i < 10; i++) await sender.stdout.line(/a tenth more/);
    const sent = await report<Sent>(sender);
    await receiver.write("\n");
    const got = await report<Received>(receiver);
    const failed = new Set(sent.failed);
    for (let i = 0; i < count; i++) {
      assert(got.counts[i] === 1 || (got.counts[i] === 0 && failed.has(i)), `message ${i}`);
      if (got.counts[i] === 1) assertEquals(got.sums[i], sent.sums[i], `message ${i}`);
    }
    assert(failed.size <= count / 50, `${failed.size} given up`);
    assertEquals(sent.errors, failed.size > 0 ? ["PipeTimeoutError"] : []);
    assert(sent.grown < 16 && got.grown < 16, `${sent.grown} and ${got.grown} MB more`);
    assert(got.duplicates > count / 50, `${got.duplicates} duplicates`);
    summary = `${loss * 100} %: ${sent.seconds.toFixed(1)} s, ${failed.size} given up, ` +
      `${got.duplicates} duplicates, memory + ${sent.grown} MB and + ${got.grown} MB`;
  });
  return summary;
}

for (const [loss, pipes] of [[0, 4], [0.01, 20], [0.05, 100], [0.2, 400]] as const) {
  labTest(`namespaces: 100,000 messages, ${loss * 100} % lost, 10 % doubled`, async () => {
    console.log(await overLink(loss, pipes));
  });
}

labTest("namespaces: a cut link is reported by every pending send", async () => {
  await withWorld(async ({ near, far, set }) => {
    await set({});
    await using receiver = peerIn(far, { role: "receiver", route: `${FAR}:0`, count: 500 });
    const port = await portOf(receiver.stdout, /port (\d+)/);
    await set({ loss: 1 });
    await using sender = peerIn(near, {
      role: "sender",
      dest: `${FAR}:${port}`,
      count: 500,
      pipes: 5,
      pending: 100,
    });
    const { failed, errors, seconds } = await report<Sent>(sender);
    assertEquals([failed.length, errors], [500, ["PipeTimeoutError"]]);
    assert(seconds > 9.9 && seconds < 20, `${seconds} s`);
  });
});

/** The protocol once more: sends what comes as a line, and loses a part of what it gets and sends. */
const PYTHON_SENDER = `
import random, socket, struct, sys, time
random.seed(1)
host, port, count, loss = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((host, port))
s.settimeout(0.02)
waiting = {}
for i in range(count):
    waiting[random.randrange(1, 2 ** 64)] = b"%d:" % i + bytes([i % 256]) * (i % 1190)
taken = len(waiting)
until = time.time() + 15
while waiting and time.time() < until:
    for number in list(waiting)[:32]:
        if random.random() >= loss:
            s.send(struct.pack("!QB", number, 0) + waiting[number])
    try:
        while True:
            packet = s.recv(65535)
            number, kind = struct.unpack("!QB", packet[:9])
            assert kind == 1 and len(packet) == 9, packet
            if random.random() >= loss:
                waiting.pop(number, None)
    except socket.timeout:
        pass
print("acknowledged", taken - len(waiting))
`;

const PYTHON_RECEIVER = `
import hashlib, random, socket, struct, sys
random.seed(2)
loss = float(sys.argv[1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("port", s.getsockname()[1])
seen = {}
s.settimeout(20)
while True:
    packet, peer = s.recvfrom(65535)
    number, kind = struct.unpack("!QB", packet[:9])
    assert kind == 0, packet
    if random.random() < loss:
        continue
    if number in seen:
        assert seen[number] == packet[9:]
    seen[number] = packet[9:]
    if random.random() >= loss:
        s.sendto(struct.pack("!QB", number, 1), peer)
    if packet[9:] == b"end":
        messages = sorted(seen.values())
        print("got", len(messages), hashlib.sha256(b"|".join(messages)).hexdigest())
        seen = {}
`;

for (const loss of [0, 0.2]) {
  labTest(`Python sends 1000 messages to us, ${loss * 100} % lost`, async () => {
    const got = new Map<string, number>();
    await using server = await pipeOpen(RUDP, {
      route: "127.0.0.1:0",
      msgCb: (data) => {
        const words = new TextDecoder("latin1").decode(data);
        got.set(words, (got.get(words) ?? 0) + 1);
      },
    });
    const port = String(server.localAddr.port);
    await using peer = python(PYTHON_SENDER, "127.0.0.1", port, "1000", String(loss));
    await peer.stdout.line(/^acknowledged 1000$/);
    assertEquals(got.size, 1000);
    for (let i = 0; i < 1000; i++) {
      // windows-1252 is latin1 here only as far as the length goes
      const [words] = [...got.keys()].filter((key) => key.startsWith(`${i}:`));
      assertEquals(words?.length, `${i}:`.length + i % 1190);
    }
    assert([...got.values()].every((count) => count === 1));
    if (loss > 0) assert(server.stats.duplicates > 0);
  });

  const count = loss > 0 ? 300 : 3000;

  labTest(`we send ${count} messages to Python, ${loss * 100} % lost`, async () => {
    await using peer = python(PYTHON_RECEIVER, String(loss));
    const port = await portOf(peer.stdout, /^port (\d+)/);
    await using client = await pipeOpen(RUDP, {
      dest: ["127.0.0.1", port],
      conf: { ackTimeout: 60_000 },
    });
    const messages = Array.from({ length: count }, (_, i) => noise(i % 1191, i + 1));
    await Promise.all(messages.map((message) => client.send(message)));
    await client.send("end");
    messages.push(new TextEncoder().encode("end"));
    const bar = new TextEncoder().encode("|");
    const sorted = messages.sort(compare).flatMap((message, i) =>
      i === 0 ? [message] : [bar, message]
    );
    const [, hash] = await peer.stdout.line(new RegExp(`^got ${count + 1} (\\w+)$`));
    assertEquals(hash, sha256(join(sorted)));
  });
}

/** The order of byte strings in Python. */
function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

labTest(
  "1,100,000 packets of made-up senders, 200,000 answered, 100,000 fuzzed: less than 16 MiB",
  async () => {
    for (const flood of ["engine", "answers", "socket"]) {
      const script = new URL("_rudp_flood.ts", import.meta.url).pathname;
      const flags = ["--allow-net", "--unstable-net", "--v8-flags=--expose-gc"];
      await using program = new Program(Deno.execPath(), [
        ...["run", "--quiet", "--no-prompt", ...flags, script, flood],
      ]);
      for (let i = 0; i < 10; i++) await program.stdout.line(/^a tenth more$/);
      const [bytes] = await program.stdout.line(/^\d+$/);
      assert(Number(bytes) < 16 * MIB, `${flood}: ${Number(bytes) / MIB} MiB`);
      console.log(`${flood}: ${(Number(bytes) / MIB).toFixed(1)} MiB`);
    }
  },
);

labTest("a peer that ended is reported, and heard again once it is back", async () => {
  const first = await pipeOpen(RUDP, { route: "127.0.0.1:0" });
  const at = first.localAddr;
  await using client = await pipeOpen(RUDP, { dest: at, conf: { ackTimeout: 500 } });
  await client.send("one");
  await first.close();
  const error = await within(client.send("two").catch((error: unknown) => error), "the failure");
  assert(error instanceof PipeTimeoutError);
  await using second = await pipeOpen(RUDP, { route: at });
  await client.send("three");
  assertEquals(new TextDecoder().decode(await second.recv() ?? undefined), "three");
});
