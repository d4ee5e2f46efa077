import { assert, assertEquals } from "@std/assert";
import { nodeUdp } from "../../lib/transport/node_udp.ts";
import { bind, udp } from "./pair.ts";

const host = "127.0.0.1";
const COUNT = 30;

/** An echo server gets datagrams that have all arrived before it looks. What it does, in order. */
async function answering(count: number, work: () => void = () => {}): Promise<string[]> {
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

Deno.test("node:dgram: datagrams that came together are answered together", async () => {
  const events = await answering(COUNT);
  const numbers = Array.from({ length: COUNT }, (_, i) => i);
  // The first one is answered at once: it may be the only one.
  assertEquals(events.filter((event) => event !== "answered 0"), [
    ...numbers.map((n) => `got ${n}`),
    ...numbers.slice(1).map((n) => `answered ${n}`),
  ]);
  assert(events.indexOf("answered 0") < events.indexOf("answered 1"));
});

Deno.test("node:dgram: an answer does not wait for ever for others that take their time", async () => {
  const events = await answering(COUNT, () => {
    for (const end = performance.now() + 2; performance.now() < end;);
  });
  const held = events.indexOf("answered 1"), last = events.indexOf(`got ${COUNT - 1}`);
  assert(held < last, `answer 1 was event ${held}, the last datagram event ${last}`);
});
