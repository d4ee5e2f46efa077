/** Mixed traffic over UDP: requests, and subscriptions made and closed. */
import { assertEquals, equal } from "@std/assert";
import type { Dest, Pipe, Subscription } from "@p2pd/pipes";
import type { Traffic, World } from "./soak_world.ts";

/** A datagram may be lost on a busy machine: then it is sent again. */
const PATIENCE = { timeout: 20_000, retries: 6 };
/** After so long. Milliseconds. */
const RESEND = 500;
const LONGEST = 1400;

function message(world: World): Uint8Array {
  return world.random.bytes(16 + world.random.below(LONGEST - 16));
}

/** Asks some times, by a pattern of the answer or without. */
async function ask(world: World, pipe: Pipe): Promise<void> {
  const data = message(world);
  const [answer] = await pipe.request(data, { ...PATIENCE, match: data.subarray(0, 16) });
  assertEquals(answer, data);
  world.count("datagrams echoed");
}

/** A client that asks some times. */
export const converse: Traffic = async (world) => {
  const pipe = await world.connectUdp();
  for (let i = 0; i < 10; i++) await ask(world, pipe);
  await pipe.close();
};

/** Subscriptions by sender and by content, to read and to be called, each for some messages. */
export const subscribe: Traffic = async (world) => {
  const [pipe, dest] = await world.openUdp();
  const bySender = pipe.subscribe({ from: dest });
  let before: Uint8Array | undefined;
  for (let i = 0; i < 10; i++) {
    const data = message(world), match = data.subarray(0, 16);
    let called = 0;
    const byContent = pipe.subscribe({ from: dest, match });
    const handled = pipe.subscribe({ match }, () => void called++);
    await sendUntil(pipe, dest, data, byContent);
    assertEquals(await byContent.recv(), data);
    assertEquals(called > 0, true);
    for (let heard = await bySender.recv(); !equal(heard, data); heard = await bySender.recv()) {
      // What was sent twice may come twice, the second time after the next one was sent.
      assertEquals(heard, before);
    }
    before = data;
    if (i % 2 === 0) pipe.unsubscribe(byContent).unsubscribe(handled);
    world.count("subscriptions", 2);
  }
  await pipe.close();
};

/** Sends, again if need be, until the answer is there. */
async function sendUntil(
  pipe: Pipe,
  dest: Dest,
  data: Uint8Array,
  answers: Subscription,
): Promise<void> {
  const limit = performance.now() + PATIENCE.timeout;
  while (answers.size === 0) {
    if (performance.now() > limit) throw new Error("a datagram was never answered");
    await pipe.send(data, dest);
    const again = performance.now() + RESEND;
    while (answers.size === 0 && performance.now() < again) {
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}
