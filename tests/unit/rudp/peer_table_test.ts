import { TransportError } from "../../../lib/transport/error.ts";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { NetAddr } from "../../../lib/pipe/types.ts";
import { Outgoing } from "../../../lib/rudp/outgoing.ts";
import { PeerTable } from "../../../lib/rudp/peer_table.ts";
import { SeenNumbers } from "../../../lib/rudp/seen.ts";
import { Sender } from "../../../lib/rudp/sender.ts";

const failed = new TransportError("closed", new Error());

const at = (n: number): NetAddr => ({
  transport: "udp",
  hostname: `10.0.${n >> 8}.${n & 255}`,
  port: 5,
});

/** A table, and who had to go although something was on its way to it. */
function tableOf(own?: NetAddr) {
  const dropped: Sender[] = [];
  const table = new PeerTable({ own, onDropped: (sender) => dropped.push(sender) });
  return { table, dropped };
}

function busy(): Sender {
  const sender = new Sender({ base: 0n, ackTimeout: 1000, transmit: () => {} });
  sender.send(new Outgoing(new Uint8Array(1), at(0), () => {}), 0);
  return sender;
}

Deno.test("rudp peers: of those only heard the one heard from longest ago goes first", () => {
  const { table } = tableOf();
  for (let n = 0; n < 4096; n++) table.get(at(n));
  const first = table.find(at(0)); // heard again
  table.get(at(4096));
  assertEquals(table.size, 4096);
  assertStrictEquals(table.find(at(0)), first);
  assertEquals(table.find(at(1)), undefined);
});

Deno.test("rudp peers: real ones are bounded, twice as many if something is on its way to them", () => {
  const { table, dropped } = tableOf();
  const prove = (n: number, sender?: Sender) => {
    const peer = table.get(at(n));
    peer.sender = sender;
    table.prove(peer);
  };
  for (let n = 0; n < 20_000; n++) prove(n, n % 2 === 0 ? busy() : undefined);
  assert(table.size <= 16_384 + 2000, `${table.size}`);
  for (let n = 0; n < 20_000; n += 2) assert(table.find(at(n)) !== undefined, `${n}`);
  for (let n = 20_000; n < 40_000; n++) prove(n, busy());
  assertEquals([table.size, dropped.length], [30_000, 0]);
  for (let n = 40_000; n < 50_000; n++) prove(n, busy());
  assert(table.size <= 32_768 && dropped.length >= 7000, `${table.size}, ${dropped.length}`);
  for (let n = 0; n < 50_000; n++) table.find(at(n))?.sender?.fail(() => failed);
  for (let n = 50_000; n < 70_000; n++) prove(n);
  assertEquals(table.size, 16_384);
});

Deno.test("rudp peers: of those that acknowledged nothing the one sent to longest ago goes first", () => {
  const { table, dropped } = tableOf();
  const send = (n: number) => {
    const peer = table.get(at(n));
    peer.sender ??= busy();
    assert(table.admit(peer, 1));
    return peer;
  };
  const [first, second] = [send(0), send(1)];
  for (let n = 2; n < 4096; n++) send(n);
  send(0);
  table.find(at(1)); // heard, which is no reason to stay
  send(4096);
  assertEquals([table.size, dropped.length], [4096, 1]);
  assertStrictEquals(dropped[0], second.sender);
  assertStrictEquals(table.find(at(0)), first);
  table.prove(first);
  table.prove(second); // too late
  for (let n = 4097; n < 10_000; n++) send(n);
  assertEquals([table.size, table.find(at(1))], [4097, undefined]);
  assertStrictEquals(table.find(at(0)), first);
});

Deno.test("rudp peers: bytes for those that acknowledged nothing are bounded, for one of them too", () => {
  const { table, dropped } = tableOf(at(9));
  const mebibyte = 2 ** 20 - 1000;
  const other = table.get(at(1)), peer = table.get(at(0)), own = table.get(at(9));
  other.sender = busy();
  assert(table.admit(other, mebibyte));
  for (let n = 0; n < 7; n++) assert(table.admit(peer, mebibyte));
  assertEquals([dropped.length, table.find(at(1))], [1, undefined]);
  table.settled(other, mebibyte); // it was forgotten, and counts no more
  assert(!table.admit(peer, mebibyte));
  table.settled(peer, mebibyte);
  assert(table.admit(peer, mebibyte));
  for (let n = 0; n < 100; n++) assert(table.admit(own, mebibyte));
  table.prove(peer);
  for (let n = 0; n < 100; n++) assert(table.admit(peer, mebibyte));
  // What they owed is forgotten with that: there is room for the next one.
  for (let n = 0; n < 7; n++) assert(table.admit(table.get(at(2)), mebibyte));
});

Deno.test("rudp peers: one that is forgotten is not found by the address it was found by last", () => {
  const { table } = tableOf(), addr = at(0);
  table.get(addr);
  assert(table.find(addr) !== undefined);
  for (let n = 1; n <= 4096; n++) table.get(at(n));
  assertEquals(table.find(addr), undefined);
});

Deno.test("rudp peers: numbers are forgotten of strangers first, then of the longest silent", () => {
  const { table } = tableOf();
  const remember = (n: number, known: boolean) => {
    const peer = table.get(at(n));
    if (known) table.prove(peer);
    const seen = peer.seen = new SeenNumbers(0);
    for (let i = 0n; i < 2000n; i++) seen.add(i * 32n, 0);
    table.grown(seen.size);
    return peer;
  };
  const known = Array.from({ length: 8 }, (_, n) => remember(n, true));
  const strangers = Array.from({ length: 8 }, (_, n) => remember(100 + n, false));
  assertEquals(table.blocks, 32_000);
  const more = remember(200, true);
  assertEquals([table.blocks, table.size], [32_000, 16]);
  assertEquals(table.find(at(100)), undefined);
  for (let n = 201; n < 209; n++) remember(n, true);
  assertEquals([table.blocks, table.size], [32_000, 17]);
  assertEquals(strangers.filter((_, n) => table.find(at(100 + n)) !== undefined).length, 0);
  assertEquals([known[0]?.seen, known[1]?.seen === undefined], [undefined, false]);
  assert(more.seen !== undefined);
});
