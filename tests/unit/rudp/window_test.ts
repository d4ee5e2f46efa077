import { assert, assertEquals } from "@std/assert";
import { CongestionWindow } from "../../../lib/rudp/window.ts";

function heard(): CongestionWindow {
  const window = new CongestionWindow();
  assertEquals(window.size, 1);
  window.acknowledged(1, 1);
  return window;
}

Deno.test("rudp window: one message until the peer was heard, then four datagrams", () => {
  assertEquals(heard().size, 4);
});

Deno.test("rudp window: slow start doubles it with each round trip, up to the most", () => {
  const window = heard(), sizes: number[] = [];
  for (let trip = 0; trip < 7; trip++) {
    const { size } = window;
    for (let i = 0; i < size; i++) window.acknowledged(1, size);
    sizes.push(window.size);
  }
  assertEquals(sizes, [8, 16, 32, 64, 128, 128, 128]);
});

Deno.test("rudp window: a loss halves it, once for everything under way, then one more a trip", () => {
  const window = heard();
  for (let i = 0; i < 12; i++) window.acknowledged(1, 16);
  assertEquals(window.size, 16);
  window.lost(100, 116);
  window.lost(105, 117);
  window.lost(115, 118);
  assertEquals(window.size, 8);
  for (let i = 0; i < 8; i++) window.acknowledged(1, 8);
  assert(window.size > 8.8 && window.size < 9.2, `${window.size}`);
  window.lost(116, 130);
  assert(window.size < 4.6, `${window.size}`);
  for (let order = 200; order < 210; order++) window.lost(order, order + 1);
  assertEquals(window.size, 2);
});

Deno.test("rudp window: after a time-out it is the least, and half of before is where it slows", () => {
  const window = heard();
  for (let i = 0; i < 36; i++) window.acknowledged(1, 40);
  window.timedOut(40, 100);
  assertEquals(window.size, 2);
  for (let i = 0; i < 18; i++) window.acknowledged(1, 20);
  assertEquals(window.size, 20); // slow start so far
  window.acknowledged(1, 20);
  assertEquals(window.size, 20.05);
});

Deno.test("rudp window: one that is not used does not grow, and is small again after a pause", () => {
  const window = heard();
  for (let i = 0; i < 100; i++) window.acknowledged(1, 1);
  assertEquals(window.size, 4);
  for (let i = 0; i < 60; i++) window.acknowledged(1, 64);
  assertEquals(window.size, 64);
  window.restart();
  assertEquals(window.size, 4);
});
