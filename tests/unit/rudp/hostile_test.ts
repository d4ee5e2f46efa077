/** What strangers send, and how much memory it takes. */
import { assert, assertEquals } from "@std/assert";
import type { NetAddr } from "../../../lib/pipe/types.ts";
import { Engine } from "../../../lib/rudp/engine.ts";
import { dataPacket, readPacket } from "../../../lib/rudp/packet.ts";
import { Random } from "../../helpers/random.ts";

/** An engine that takes everything, and counts what it sends and takes. */
function engineOf(onTransmit: (packet: Uint8Array, to: NetAddr) => void = () => {}) {
  const counts = { transmitted: 0, taken: 0, duplicates: 0 };
  const engine = new Engine({
    ackTimeout: 10_000,
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
