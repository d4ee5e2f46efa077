import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { closedHere, TransportError } from "../../lib/transport/error.ts";
import { WriteQueue } from "../../lib/transport/write_queue.ts";

/** A platform whose writes end when the test says so. */
class Platform {
  readonly writes: number[][] = [];
  readonly #ends: PromiseWithResolvers<void>[] = [];
  readonly queue: WriteQueue;

  constructor(kind: "stream" | "datagram" = "stream") {
    this.queue = new WriteQueue((data) => {
      this.writes.push([...data]);
      const end = Promise.withResolvers<void>();
      this.#ends.push(end);
      return end.promise;
    }, kind);
  }

  /** Ends the write in progress, and lets what follows happen. */
  async end(error?: Error): Promise<void> {
    const end = this.#ends.shift();
    if (error === undefined) end?.resolve();
    else end?.reject(error);
    for (let i = 0; i < 10; i++) await undefined;
  }
}

const bytes = (...values: number[]) => new Uint8Array(values);

Deno.test("an idle queue writes at once; what comes meanwhile is one write, in order", async () => {
  const platform = new Platform(), order: string[] = [];
  const send = (name: string, data: Uint8Array) =>
    platform.queue.send(data).then(() => order.push(name));
  const all = [
    send("a", bytes(1)),
    send("b", bytes(2, 2)),
    send("empty", bytes()),
    send("c", bytes(3)),
  ];
  assertEquals(platform.writes, [[1]]);
  await platform.end();
  assertEquals(platform.writes, [[1], [2, 2, 3]]);
  assertEquals(order, ["a"]);
  await platform.end();
  assertEquals(order, ["a", "b", "empty", "c"]);
  await Promise.all(all);
});

Deno.test("one write holds up to 64 KiB; a bigger chunk is a write of its own", async () => {
  const platform = new Platform();
  const sizes = [1, 40_000, 20_000, 10_000, 100_000, 5];
  const all = sizes.map((size) => platform.queue.send(new Uint8Array(size)));
  for (let i = 0; i < 5; i++) await platform.end();
  assertEquals(platform.writes.map(({ length }) => length), [1, 60_000, 10_000, 100_000, 5]);
  await Promise.all(all);
});

Deno.test("empty data on a stream is no write, and takes its turn", async () => {
  const platform = new Platform(), order: number[] = [];
  await platform.queue.send(bytes());
  const first = platform.queue.send(bytes(1)).then(() => order.push(1));
  const empty = platform.queue.send(bytes()).then(() => order.push(0));
  assertEquals(order, []);
  await platform.end();
  await Promise.all([first, empty]);
  assertEquals(order, [1, 0]);
  assertEquals(platform.writes, [[1]]);
});

Deno.test("datagrams are one write each, the empty one included", async () => {
  const platform = new Platform("datagram");
  const all = [bytes(), bytes(1), bytes(), bytes(2)].map((data) => platform.queue.send(data));
  for (let i = 0; i < 4; i++) await platform.end();
  assertEquals(platform.writes, [[], [1], [], [2]]);
  await Promise.all(all);
});

Deno.test("a failed write fails all that is queued and all that comes, with one error", async () => {
  for (const nth of [0, 1]) {
    const platform = new Platform();
    const sends = [1, 2, 3].map((n) => platform.queue.send(bytes(n)));
    const settled = Promise.allSettled(sends);
    const drained = platform.queue.drain();
    if (nth === 1) await platform.end();
    await platform.end(new Deno.errors.BrokenPipe("gone"));
    const errors = (await settled).slice(nth).map((result) =>
      result.status === "rejected" ? result.reason : undefined
    );
    const error = await assertRejects(() => platform.queue.send(bytes(4)), TransportError);
    assertEquals(error.fault, "reset");
    for (const other of errors) assertStrictEquals(other, error);
    assertStrictEquals(platform.queue.failure, error);
    await drained;
    await platform.queue.drain();
    assertEquals(platform.writes.length, 1 + nth);
  }
});

Deno.test("a datagram that fails fails alone", async () => {
  const platform = new Platform("datagram");
  const results = Promise.allSettled([1, 2, 3].map((n) => platform.queue.send(bytes(n))));
  await platform.end(new Error("no route"));
  await platform.end(new Error("no route"));
  await platform.end();
  const statuses = (await results).map(({ status }) => status);
  assertEquals(statuses, ["rejected", "rejected", "fulfilled"]);
  assertEquals(platform.queue.failure, undefined);
});

Deno.test("fail rejects what is queued at once; drain waits for the write in progress", async () => {
  const platform = new Platform();
  const first = assertRejects(() => platform.queue.send(bytes(1)), TransportError);
  const queued = assertRejects(() => platform.queue.send(bytes(2)), TransportError);
  const error = closedHere();
  platform.queue.fail(error);
  assertStrictEquals(await queued, error);
  let drained = false;
  const draining = platform.queue.drain().then(() => drained = true);
  await Promise.resolve();
  assertEquals(drained, false);
  await platform.end(new Deno.errors.Interrupted("closed"));
  assertStrictEquals(await first, error);
  await draining;
  assertEquals(platform.writes, [[1]]);
});

Deno.test("end refuses later sends, and what is queued still goes out", async () => {
  const platform = new Platform();
  const all = [platform.queue.send(bytes(1)), platform.queue.send(bytes(2))];
  platform.queue.end();
  const refused = await assertRejects(() => platform.queue.send(bytes(3)), TransportError);
  assertEquals(refused.fault, "closed");
  const drained = platform.queue.drain();
  await platform.end();
  await platform.end();
  await Promise.all([...all, drained]);
  assertEquals(platform.writes, [[1], [2]]);
});

Deno.test("what is sent while it is held goes out when it is released, in order, one by one", async () => {
  const platform = new Platform("datagram"), order: number[] = [];
  platform.queue.hold();
  const all = [1, 2, 3].map((n) => platform.queue.send(bytes(n)).then(() => order.push(n)));
  for (let i = 0; i < 10; i++) await undefined;
  assertEquals(platform.writes, []);
  platform.queue.release();
  await platform.end();
  assertEquals(platform.writes, [[1]]);
  for (let i = 0; i < 3; i++) await platform.end();
  assertEquals(platform.writes, [[1], [2], [3]]);
  await Promise.all(all);
  assertEquals(order, [1, 2, 3]);
  const after = platform.queue.send(bytes(4));
  assertEquals(platform.writes.length, 4, "a send is not held any more");
  await platform.end();
  await after;
});

Deno.test("a hold lets the write in progress end, and keeps what waits behind it", async () => {
  const platform = new Platform("datagram"), order: number[] = [];
  const send = (n: number) => platform.queue.send(bytes(n)).then(() => order.push(n));
  const all = [1, 2, 3].map(send);
  platform.queue.hold();
  await platform.end();
  assertEquals([platform.writes, order], [[[1]], [1]]);
  platform.queue.release();
  await platform.end(); // nothing is under way but the second one, which begins now
  platform.queue.hold();
  await platform.end();
  assertEquals([platform.writes, order], [[[1], [2]], [1, 2]]);
  all.push(send(4));
  platform.queue.release();
  for (let i = 0; i < 4; i++) await platform.end();
  await Promise.all(all);
  assertEquals([platform.writes, order], [[[1], [2], [3], [4]], [1, 2, 3, 4]]);
});

Deno.test("what is drained is held no more", async () => {
  const platform = new Platform("datagram");
  platform.queue.hold();
  const sent = [1, 2].map((n) => platform.queue.send(bytes(n)));
  const drained = platform.queue.drain();
  platform.queue.hold();
  for (let i = 0; i < 3; i++) await platform.end();
  assertEquals(await Promise.all(sent), [1, 1]);
  await drained;
});

Deno.test("what is held fails with the queue, and is drained like anything else", async () => {
  const failing = new Platform("datagram"), error = closedHere();
  failing.queue.hold();
  const lost = assertRejects(() => failing.queue.send(bytes(1)), TransportError);
  failing.queue.fail(error);
  assertStrictEquals(await lost, error);
  await failing.queue.drain();
  assertEquals(failing.writes, []);

  const ending = new Platform("datagram");
  ending.queue.hold();
  const sent = ending.queue.send(bytes(1));
  ending.queue.end();
  const drained = ending.queue.drain();
  await ending.end();
  await ending.end();
  assertEquals(await sent, 1);
  await drained;
});
