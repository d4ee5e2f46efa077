import { assert, assertEquals } from "@std/assert";
import type { NetAddr } from "../../../lib/pipe/types.ts";
import { Outgoing } from "../../../lib/rudp/outgoing.ts";
import { readPacket } from "../../../lib/rudp/packet.ts";
import { Sender } from "../../../lib/rudp/sender.ts";

const to: NetAddr = { transport: "udp", hostname: "10.0.0.2", port: 1 };

/** A sender, and the numbers that it has sent. */
function sender(ackTimeout = 60_000) {
  const sent: bigint[] = [];
  const it = new Sender({
    base: 0n,
    ackTimeout,
    transmit: (packet) => sent.push(readPacket(packet)?.number ?? -1n),
  });
  const send = (count: number, now: number, size = 10) => {
    for (let i = 0; i < count; i++) it.send(new Outgoing(new Uint8Array(size), to, () => {}), now);
  };
  return { it, sent, send };
}

Deno.test("rudp sender: what is unacknowledged is bounded, and adapts", () => {
  const { it, sent, send } = sender();
  send(2000, 0);
  assertEquals([sent.length, it.pending], [1, 2000]);
  const most: number[] = [];
  let now = 0;
  for (let trip = 0, from = 0; trip < 8; trip++) {
    now += 50;
    const batch = sent.slice(from);
    from = sent.length;
    for (const number of batch) assert(it.acknowledge(number, now));
    most.push(it.unacknowledged);
  }
  assertEquals(most, [4, 8, 16, 32, 64, 128, 128, 128]);
  // Half of them are lost: as the rest tells, and it is half as many then.
  const lost = sent.slice(-128, -64), rest = sent.slice(-64);
  now += 50;
  for (const number of rest) it.acknowledge(number, now);
  const news = sent.slice(-64);
  it.tick(now + 15);
  assertEquals(sent.slice(-64), news);
  for (const number of news) it.acknowledge(number, now + 50);
  assertEquals(sent.slice(-64), lost);
  assertEquals(it.unacknowledged, 64);
});

Deno.test("rudp sender: a message of many datagrams counts as many, and goes alone if need be", () => {
  const { it, sent, send } = sender();
  send(1, 0);
  it.acknowledge(0n, 10);
  send(3, 10, 60_000);
  assertEquals(sent.length, 2); // 41 datagrams, and the window is 4
  it.acknowledge(1n, 20);
  assertEquals(sent.length, 3);
  it.acknowledge(2n, 30);
  assertEquals([sent.length, it.pending], [4, 1]);
});

Deno.test("rudp sender: waiting messages go out in the order of the calls", () => {
  const { it, sent, send } = sender();
  send(300, 0);
  for (let i = 0; i < 300; i++) it.acknowledge(BigInt(i), i);
  assertEquals(sent, Array.from({ length: 300 }, (_, i) => BigInt(i)));
});

Deno.test("rudp sender: unacknowledged numbers stay within what a receiver remembers", () => {
  const { it, sent, send } = sender();
  send(20_000, 0);
  // Everything is acknowledged but the second message.
  for (let i = 0, now = 0; i < sent.length; i++) {
    if (sent[i] !== 1n) it.acknowledge(sent[i] ?? 0n, now += 0.01);
  }
  assertEquals(sent.reduce((a, b) => a > b ? a : b, 0n), 16_384n);
  assert(it.acknowledge(1n, 2000));
  assert(sent.includes(16_385n));
});

Deno.test("rudp sender: one time-out doubles the wait once, however many messages it meets", () => {
  const { it, sent, send } = sender();
  send(1, 0);
  it.acknowledge(0n, 100); // the wait is 300 from here on
  for (let i = 0; i < 4; i++) send(1, 200 + 10 * i);
  for (let now = 210; now <= 590; now += 10) if (it.due <= now) it.tick(now);
  assertEquals(sent, [0n, 1n, 2n, 3n, 4n, 1n]);
  it.tick(799);
  assertEquals(sent.length, 6); // all of them wait for 600 now
  for (const now of [810, 820, 830]) it.tick(now);
  assertEquals(sent.slice(6), [2n, 3n, 4n]);
  it.tick(1099);
  it.tick(1100); // 600 after it was sent again
  assertEquals(sent.slice(9), [1n]);
});

Deno.test("rudp sender: what waits for a doubled time does so no longer once it is measured", () => {
  const { it, sent, send } = sender();
  send(1, 0);
  it.acknowledge(0n, 100);
  send(1, 200);
  send(1, 499);
  it.tick(500);
  assertEquals([sent, it.due], [[0n, 1n, 2n, 1n], 1099]);
  it.acknowledge(2n, 599); // sent before the repetition: says nothing of that
  assert(it.due <= 800, `${it.due}`);
});

Deno.test("rudp sender: an acknowledgement right after a repetition is of what was sent before", () => {
  const { it, sent, send } = sender();
  send(1, 0);
  it.acknowledge(0n, 100);
  send(1, 200);
  send(1, 250);
  it.tick(500);
  it.acknowledge(1n, 505);
  assertEquals(sent, [0n, 1n, 2n, 1n]); // the second has not been overtaken
  it.tick(630);
  assertEquals(sent.length, 4);
});

Deno.test("rudp sender: an acknowledgement of a repetition is no measurement (Karn)", () => {
  const { it, sent, send } = sender();
  send(1, 0);
  it.tick(1000);
  it.acknowledge(0n, 1001);
  send(1, 1001);
  it.tick(3000); // not overdue: the wait is still 2000
  assertEquals(sent, [0n, 0n, 1n]);
  it.tick(3001);
  assertEquals(sent, [0n, 0n, 1n, 1n]);
});

Deno.test("rudp sender: what a later message has overtaken is sent again before its time is over", () => {
  const { it, sent, send } = sender();
  send(1, 0);
  it.acknowledge(0n, 100);
  send(3, 100);
  it.acknowledge(3n, 200);
  assertEquals(sent.length, 4); // they may be late
  assertEquals(it.due, 225);
  it.tick(225);
  assertEquals(sent.slice(4), [1n, 2n]);
});
