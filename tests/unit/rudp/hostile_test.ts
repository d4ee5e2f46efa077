/** What strangers send, and how much memory it takes. */
import { assert, assertEquals } from "@std/assert";
import { PipeClosedError, RUDP } from "@p2pd/pipes";
import { memoryNetwork } from "@p2pd/pipes/testing";
import type { NetAddr } from "../../../lib/pipe/types.ts";
import { Engine } from "../../../lib/rudp/engine.ts";
import { ackPacket, dataPacket, readPacket } from "../../../lib/rudp/packet.ts";
import { Random } from "../../helpers/random.ts";

/** An engine that takes everything, and counts what it sends and takes. */
function engineOf(
  onTransmit: (packet: Uint8Array, to: NetAddr) => void = () => {},
  own?: NetAddr,
) {
  const counts = { transmitted: 0, taken: 0, duplicates: 0 };
  const engine = new Engine({
    ackTimeout: 10_000,
    own,
    transmit: (packet, to) => {
      counts.transmitted++;
      onTransmit(packet, to);
    },
    take: () => ++counts.taken > 0,
    onDuplicate: () => counts.duplicates++,
  });
  return { engine, counts };
}

/** An address nobody has. */
function address(n: number): NetAddr {
  const hostname = `10.${n >>> 16 & 255}.${n >>> 8 & 255}.${n & 255}`;
  return { transport: "udp", hostname, port: 1 + n % 60_000 };
}

Deno.test("rudp: made-up senders take the place of each other, and no more", () => {
  const { engine, counts } = engineOf();
  for (let n = 0; n < 50_000; n++) {
    engine.receive(dataPacket(BigInt(n) << 20n, new Uint8Array(8)), address(n), n / 1000);
    assert(engine.size.peers <= 4096 && engine.size.blocks <= 4096);
  }
  assertEquals([counts.taken, engine.size.peers], [50_000, 4096]);
});

Deno.test("rudp: made-up senders do not push out a peer that has acknowledged something", () => {
  const peer: NetAddr = { transport: "udp", hostname: "192.0.2.1", port: 7 };
  const numbers: bigint[] = [];
  const { engine, counts } = engineOf((packet) => numbers.push(readPacket(packet)?.number ?? 0n));
  let acknowledged = 0;
  engine.send(new Uint8Array(1), peer, 0, () => acknowledged++);
  const ack = dataPacket(numbers[0] ?? 0n, new Uint8Array());
  ack[8] = 1;
  engine.receive(ack, peer, 1);
  assertEquals(acknowledged, 1);
  const message = dataPacket(99n, new Uint8Array(1));
  engine.receive(message, peer, 2);
  for (let n = 0; n < 20_000; n++) {
    engine.receive(dataPacket(BigInt(n), new Uint8Array()), address(n), 3);
  }
  engine.receive(message, peer, 4);
  assertEquals([counts.taken, counts.duplicates], [20_001, 1]);
});

const stranger: NetAddr = { transport: "udp", hostname: "192.0.2.1", port: 7 };

for (const kind of ["the socket's own peer", "one that has acknowledged something"]) {
  Deno.test(`rudp: answers to made-up senders are bounded, and do not touch ${kind}`, () => {
    const own = kind.startsWith("the") ? stranger : undefined;
    const numbers: bigint[] = [];
    const { engine } = engineOf((packet, to) => {
      const { number = 0n, message } = readPacket(packet) ?? {};
      if (to === stranger && message !== undefined) numbers.push(number);
    }, own);
    const acknowledge = () => engine.receive(ackPacket(numbers.shift() ?? 0n), stranger, 1);
    const results: unknown[] = [];
    const send = () => engine.send(new Uint8Array(1), stranger, 0, (error) => results.push(error));
    if (own === undefined) {
      send();
      acknowledge();
    }
    send();
    const before = results.length;
    let pending = 0;
    const reasons = new Set<string | undefined>();
    for (let n = 0; n < 20_000; n++) {
      const from = address(n);
      engine.receive(dataPacket(BigInt(n), new Uint8Array(8)), from, 1);
      pending++;
      engine.send(new Uint8Array(8), from, 1, (error) => {
        pending--;
        assertEquals(error?.fault, "unanswered");
        reasons.add(error?.message);
      });
      assert(pending <= 4096 && engine.size.peers <= 4098, `${pending} pending`);
    }
    assertEquals(pending, 4096);
    assertEquals([...reasons], [
      "not acknowledged when newer peers needed the room (sent once)",
    ]);
    assertEquals(results.length, before);
    acknowledge();
    assertEquals(results.slice(before), [undefined]);
    // Nothing that had to go is still ticking.
    engine.tick(20_000);
    assertEquals([pending, engine.idle], [0, true]);
  });
}

Deno.test("rudp: a peer that is in time among made-up ones acknowledges, and is bounded no more", () => {
  let number = 0n;
  const { engine } = engineOf((packet) => number = readPacket(packet)?.number ?? 0n);
  const spoof = (from: number) => {
    for (let n = from; n < from + 4000; n++) {
      engine.send(new Uint8Array(1), address(n), 1, () => {});
    }
  };
  const results: unknown[] = [];
  engine.send(new Uint8Array(1), stranger, 0, (error) => results.push(error));
  const first = number;
  spoof(0);
  engine.receive(ackPacket(first), stranger, 2);
  engine.send(new Uint8Array(1), stranger, 3, (error) => results.push(error));
  const second = number;
  spoof(4000);
  spoof(8000);
  engine.receive(ackPacket(second), stranger, 4);
  assertEquals(results, [undefined, undefined]);
});

Deno.test("rudp: one made-up sender gets no more than 8 MiB of answers, the rest fail at once", () => {
  const { engine } = engineOf();
  let pending = 0;
  const reasons = new Set<string | undefined>();
  for (let n = 0; n < 3000; n++) {
    pending++;
    engine.send(new Uint8Array(9000), stranger, 0, (error) => {
      pending--;
      reasons.add(error?.message);
    });
  }
  assertEquals(pending, Math.floor((8 * 2 ** 20 - 1000) / 10_000));
  assertEquals([...reasons], [
    "not sent: too much waits already for a first acknowledgement of the peer",
  ]);
  engine.tick(10_000); // they are given up
  assertEquals(pending, 0);
  for (let n = 0; n < 800; n++) {
    engine.send(new Uint8Array(9000), stranger, 10_000, () => pending--);
  }
  assertEquals(pending, 0);
});

Deno.test("rudp: one sender that uses random numbers is held in a bounded part of that", () => {
  const { engine } = engineOf();
  const random = new Random(5);
  for (let n = 0; n < 60_000; n++) {
    const number = BigInt(random.below(2 ** 32)) << 32n | BigInt(random.below(2 ** 32));
    engine.receive(dataPacket(number, new Uint8Array()), address(n % 20), n / 100);
    if (n % 1000 === 0) assert(engine.size.blocks <= 32_768, `${engine.size.blocks} blocks`);
  }
  assert(engine.size.blocks > 16_000);
});

Deno.test("rudp: 100,000 fuzzed packets crash nothing, and answers are no bigger than they are", () => {
  const { engine, counts } = engineOf((packet) => assertEquals(packet.length, 9));
  const random = new Random(11);
  for (let n = 0; n < 100_000; n++) {
    const packet = random.bytes(random.below(40));
    // Half of them look like packets, of few numbers.
    if (n % 2 === 0 && packet.length > 8) packet.fill(0, 0, 7)[8] = random.below(3);
    const before = counts.transmitted;
    engine.receive(packet, address(random.below(50)), n / 10);
    assert(counts.transmitted - before <= (packet.length >= 9 ? 1 : 0));
  }
  assert(counts.taken > 5000 && counts.duplicates > 1000, JSON.stringify(counts));
  assert(engine.size.peers <= 50);
  assert(engine.idle);
});

Deno.test("rudp: what a client sends to its dest is not bounded as for strangers", async () => {
  const net = memoryNetwork();
  await using client = await net.pipeOpen(RUDP, { dest: "10.0.0.1:5", route: "10.0.0.2:0" });
  const sends = Array.from({ length: 9000 }, () => client.send("x"));
  const ended = Promise.allSettled(sends);
  await client.abort();
  for (const result of await ended) {
    assert(result.status === "rejected" && result.reason instanceof PipeClosedError);
  }
});
