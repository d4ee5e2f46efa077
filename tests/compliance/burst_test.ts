import { assert, assertEquals } from "@std/assert";
import { nodeUdp } from "../../lib/transport/node_udp.ts";
import { bind, udp } from "./pair.ts";

const host = "127.0.0.1";

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
  const events = await answering(5);
  const numbers = [0, 1, 2, 3, 4];
  assertEquals(events, [
    ...numbers.map((n) => `got ${n}`),
    ...numbers.map((n) => `answered ${n}`),
  ]);
});

Deno.test("node:dgram: an answer does not wait for ever for others that take their time", async () => {
  const events = await answering(30, () => {
    for (const end = performance.now() + 2; performance.now() < end;);
  });
  const first = events.indexOf("answered 0"), last = events.indexOf("got 29");
  assert(first < last, `answer 0 was event ${first}, datagram 29 event ${last}`);
});
