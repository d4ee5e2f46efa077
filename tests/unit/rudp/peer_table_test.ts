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

function busy(): Sender {
  const sender = new Sender({ base: 0n, ackTimeout: 1000, transmit: () => {} });
  sender.send(new Outgoing(new Uint8Array(1), at(0), () => {}), 0);
  return sender;
}

Deno.test("rudp peers: of those only heard the one heard from longest ago goes first", () => {
  const table = new PeerTable();
  for (let n = 0; n < 4096; n++) table.get(at(n));
  const first = table.find(at(0)); // heard again
  table.get(at(4096));
  assertEquals(table.size, 4096);
  assertStrictEquals(table.find(at(0)), first);
  assertEquals(table.find(at(1)), undefined);
});

Deno.test("rudp peers: known ones are bounded too, but for those that something is on its way to", () => {
  const table = new PeerTable();
  for (let n = 0; n < 20_000; n++) {
    const peer = table.get(at(n));
    if (n % 2 === 0) peer.sender = busy();
    table.know(peer);
  }
  assert(table.size <= 16_384 + 2000, `${table.size}`);
  for (let n = 0; n < 20_000; n += 2) assert(table.find(at(n)) !== undefined, `${n}`);
  for (let n = 20_000; n < 30_000; n++) {
    const peer = table.get(at(n));
    peer.sender = busy();
    table.know(peer);
  }
  assertEquals(table.size, 20_000);
  for (let n = 0; n < 30_000; n++) table.find(at(n))?.sender?.fail(() => failed);
  for (let n = 30_000; n < 37_000; n++) table.know(table.get(at(n)));
  assertEquals(table.size, 16_384);
});

Deno.test("rudp peers: one that is forgotten is not found by the address it was found by last", () => {
  const table = new PeerTable(), addr = at(0);
  table.get(addr);
  assert(table.find(addr) !== undefined);
  for (let n = 1; n <= 4096; n++) table.get(at(n));
  assertEquals(table.find(addr), undefined);
});

Deno.test("rudp peers: numbers are forgotten of strangers first, then of the longest silent", () => {
  const table = new PeerTable();
  const remember = (n: number, known: boolean) => {
    const peer = table.get(at(n));
    if (known) table.know(peer);
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
