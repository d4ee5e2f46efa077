import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { Burst } from "../../lib/transport/burst.ts";
import { nodeUdp } from "../../lib/transport/node_udp.ts";
import { bind, udp } from "./pair.ts";

const host = "127.0.0.1";
const COUNT = 30;

/** What a burst does to its queue, by a clock of the test. */
class Held {
  readonly calls: string[] = [];
  #now = 0;
  readonly #burst = new Burst(
    { hold: () => this.calls.push("hold"), release: () => this.calls.push("release") },
    () => this.#now,
  );

  /** So many datagrams come together, with so many milliseconds between them. Gives what happened. */
  async receive(count: number, between = 0): Promise<string[]> {
    for (let i = 0; i < count; i++) {
      this.#burst.note();
      this.calls.push(`${i}`);
      this.#now += between;
    }
    // No more has come: the next ticks run, the burst's before this one.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    return this.calls.splice(0);
  }
}

Deno.test("burst: what is sent is held from the second datagram on, until no more come", async () => {
  const held = new Held();
  assertEquals(await held.receive(1), ["0"]);
  assertEquals(await held.receive(4), ["0", "hold", "1", "2", "3", "release"]);
  assertEquals(await held.receive(2), ["0", "hold", "1", "release"]);
});

Deno.test("burst: what is sent is held for 5 ms at most", async () => {
  const happened = await new Held().receive(6, 2);
  const [first, hold, ...rest] = happened;
  assertEquals([first, hold], ["0", "hold"]);
  // The second one came at 2 ms, the fifth at 8.
  assertEquals(rest, ["1", "2", "3", "release", "4", "release", "5", "release"]);
});

/** An echo server gets datagrams that have all arrived before it looks. What it does, in order. */
async function answering(count: number, work: () => void): Promise<string[]> {
  const server = await bind(nodeUdp, udp(host)), client = await bind(nodeUdp, udp(host));
  const events: string[] = [];
  let left = count;
  const done = Promise.withResolvers<void>();
  const answer = (data: Uint8Array, from: typeof server.localAddr): boolean => {
    events.push(`got ${data[0]}`);
    work();
    server.send(data, from).then(() => {
      events.push(`answered ${data[0]}`);
      if (--left === 0) done.resolve();
    });
    return true;
  };
  const echoed: (number | undefined)[] = [], all = Promise.withResolvers<void>();
  const serving = server.pull(answer);
  const pulling = client.pull((data) => {
    if (echoed.push(data[0]) === count) all.resolve();
    return true;
  });
  for (let i = 0; i < count; i++) void client.send(new Uint8Array([i]), server.localAddr);
  await Promise.all([done.promise, all.promise]);
  await Promise.all([server.close(), client.close(), serving, pulling]);
  assertEquals(echoed, Array.from({ length: count }, (_, i) => i), "answers in order");
  return events;
}

Deno.test("node:dgram: datagrams that come together are answered in order, and not too late", async () => {
  const events = await answering(COUNT, () => {
    for (const end = performance.now() + 2; performance.now() < end;);
  });
  const held = events.indexOf("answered 1"), last = events.indexOf(`got ${COUNT - 1}`);
  assert(held < last, `answer 1 was event ${held}, the last datagram event ${last}`);
});
