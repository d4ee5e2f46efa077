import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { MessageQueue, PipeClosedError, PipeTimeoutError } from "@p2pd/pipes";

Deno.test("queue: first in, first out, over many laps of the ring", async () => {
  const queue = new MessageQueue<number>();
  let next = 0, expected = 0;
  for (let lap = 0; lap < 1000; lap++) {
    for (let i = 0; i < lap % 37; i++) queue.push(next++);
    for (let i = 0; i < lap % 31 && queue.size > 0; i++) {
      assertEquals(await queue.take(), expected++);
    }
  }
  assertEquals([queue.pushed, queue.taken, queue.size], [next, expected, next - expected]);
});

Deno.test("queue: many waiting readers are served in the order they came", async () => {
  const queue = new MessageQueue<number>();
  const readers = Array.from({ length: 100 }, () => queue.take());
  assertEquals(queue.waiting, 100);
  for (let i = 0; i < 100; i++) queue.push(i);
  assertEquals(await Promise.all(readers), Array.from({ length: 100 }, (_, i) => i));
});

Deno.test("queue: a time-out takes no message with it and leaves no timer", async () => {
  const queue = new MessageQueue<string>();
  const first = queue.take({ timeout: 1 });
  const second = queue.take();
  await assertRejects(() => first, PipeTimeoutError, "within 1 ms");
  queue.push("for the second");
  assertEquals(await second, "for the second");
  queue.push("kept");
  assertEquals(await queue.take({ timeout: 0 }), "kept");
});

Deno.test("queue: each of many deadlines holds, whatever the order they were set in", async () => {
  const queue = new MessageQueue<string>();
  const order: number[] = [];
  await Promise.all(
    [40, 5, 20, 1].map((timeout) => queue.take({ timeout }).catch(() => order.push(timeout))),
  );
  assertEquals(order, [1, 5, 20, 40]);
});

Deno.test("queue: timeout 0 looks once; a negative or non-numeric one is refused", async () => {
  const queue = new MessageQueue<string>();
  const start = performance.now();
  await assertRejects(
    () => queue.take({ timeout: 0 }),
    PipeTimeoutError,
    "Nothing has arrived yet",
  );
  assert(performance.now() - start < 50);
  await assertRejects(() => queue.take({ timeout: -1 }), RangeError, "timeout");
  await assertRejects(() => queue.take({ timeout: NaN }), RangeError, "timeout");
});

Deno.test("queue: an aborted reader rejects with the reason and takes no message", async () => {
  const queue = new MessageQueue<string>();
  const controller = new AbortController();
  const reason = new Error("enough");
  const waiting = queue.take({ signal: controller.signal });
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => waiting), reason);
  assertStrictEquals(await assertRejects(() => queue.take({ signal: controller.signal })), reason);
  queue.push("a");
  assertEquals(await queue.take(), "a");
  assertEquals(queue.waiting, 0);
});

Deno.test("queue: block refuses, and put waits for room in order", async () => {
  const queue = new MessageQueue<number>({ maxItems: 2 });
  assertEquals([queue.push(1), queue.push(2), queue.push(3)], [true, true, false]);
  const controller = new AbortController();
  const puts = [queue.put(3), queue.put(4, { signal: controller.signal }), queue.put(5)];
  controller.abort("no longer");
  await assertRejects(async () => {
    await puts[1];
  });
  const got: (number | null)[] = [];
  for (let i = 0; i < 4; i++) got.push(await queue.take());
  assertEquals(got, [1, 2, 3, 5]);
  await Promise.all([puts[0], puts[2]]);
  assertEquals(queue.dropped, 0);
});

Deno.test("queue: closing refuses those who wait to put", async () => {
  const queue = new MessageQueue<number>({ maxItems: 1 });
  queue.push(1);
  const put = queue.put(2);
  queue.close();
  await assertRejects(() => put, PipeClosedError, "Cannot put");
  await assertRejects(() => queue.put(3), PipeClosedError);
  assertEquals(await queue.take(), 1);
  assertEquals(await queue.take(), null);
});

Deno.test("queue: drop-oldest and drop-newest keep the bound, by items and by bytes", async () => {
  const oldest = new MessageQueue<string>({ maxItems: 3, overflow: "drop-oldest" });
  const newest = new MessageQueue<string>({ maxItems: 3, overflow: "drop-newest" });
  for (const item of ["a", "b", "c", "d", "e"]) {
    oldest.push(item);
    newest.push(item);
  }
  oldest.close();
  newest.close();
  assertEquals(await Array.fromAsync(oldest), ["c", "d", "e"]);
  assertEquals(await Array.fromAsync(newest), ["a", "b", "c"]);
  assertEquals([oldest.dropped, newest.dropped], [2, 2]);

  const bytes = new MessageQueue<string>({
    maxBytes: 10,
    sizeOf: (s) => s.length,
    overflow: "drop-oldest",
  });
  for (const item of ["aaaa", "bbbb", "cccc", "dd"]) bytes.push(item);
  assertEquals([bytes.bytes, bytes.size, bytes.dropped], [10, 3, 1]);
  bytes.push("x".repeat(50)); // more than the bound: alone
  assertEquals([bytes.size, bytes.bytes, bytes.dropped], [1, 50, 4]);
});

Deno.test("queue: what is held is taken before the error of close", async () => {
  const queue = new MessageQueue<string>();
  const error = new Error("broken");
  queue.push("last");
  queue.close(error);
  queue.close();
  assertEquals(queue.push("too late"), false);
  assertEquals(await queue.take(), "last");
  assertStrictEquals(await assertRejects(() => queue.take()), error);
  const waiting = new MessageQueue<string>();
  const reader = waiting.take();
  waiting.close(error);
  assertStrictEquals(await assertRejects(() => reader), error);
});

Deno.test("queue: hooks see each item that waits, enter and leave once", () => {
  const log: string[] = [];
  const queue = new MessageQueue<string>({
    maxItems: 1,
    overflow: "drop-oldest",
    onEnter: (item) => log.push(`+${item}`),
    onLeave: (item) => log.push(`-${item}`),
    onDrop: (item) => log.push(`!${item}`),
  });
  queue.push("a");
  queue.push("b");
  assertEquals(queue.tryTake(), "b");
  assertEquals(queue.tryTake(), undefined);
  assertEquals(log, ["+a", "-a", "!a", "+b", "-b"]);
});

Deno.test("queue: a loop ends with the queue, and leaving it leaves the rest", async () => {
  const queue = new MessageQueue<number>();
  for (let i = 0; i < 5; i++) queue.push(i);
  for await (const item of queue) if (item === 1) break;
  assertEquals(queue.size, 3);
  queue.close();
  assertEquals(await Array.fromAsync(queue), [2, 3, 4]);
  using disposed = new MessageQueue<number>();
  disposed.push(1);
});

Deno.test("queue: 100,000 items cost no more each than 1,000", async () => {
  const cost = async (items: number) => {
    let best = Infinity;
    for (let run = 0; run < 5; run++) {
      const queue = new MessageQueue<number>();
      const start = performance.now();
      for (let i = 0; i < items; i++) queue.push(i);
      for (let i = 0; i < items; i++) queue.tryTake();
      best = Math.min(best, (performance.now() - start) / items);
    }
    await Promise.resolve();
    return best;
  };
  await cost(20_000); // warm up
  const small = await cost(1_000), big = await cost(100_000);
  // An O(n) shift would be 100 times dearer.
  assert(big < small * 10 + 0.001, `${small} ms each at 1,000 and ${big} ms at 100,000`);
});

Deno.test("queue: wrong options are named", () => {
  assertThrows(() => new MessageQueue({ maxItems: -1 }), RangeError, "maxItems");
  assertThrows(() => new MessageQueue({ maxItems: 1.5 }), RangeError, "maxItems");
  assertThrows(() => new MessageQueue({ maxBytes: NaN }), RangeError, "maxBytes");
  // @ts-expect-error a policy that does not exist
  assertThrows(() => new MessageQueue({ overflow: "grow" }), TypeError, "overflow");
  // @ts-expect-error a policy that does not exist
  assertThrows(() => new MessageQueue({ overflow: {} }), TypeError, "is needed, got {}");
  for (const options of [{ maxItem: 3 }, { max: "x" }]) {
    // @ts-expect-error no option of that name
    const error = assertThrows(() => new MessageQueue(options), TypeError, "options: there is no");
    assert(error.message.includes("only maxItems, maxBytes, sizeOf"), error.message);
  }
  for (const options of [null, 5, "x"]) {
    // @ts-expect-error no options
    assertThrows(() => new MessageQueue(options), TypeError, "options: { maxItems?, ");
  }
  for (const key of ["sizeOf", "onEnter", "onLeave", "onDrop"]) {
    assertThrows(() => new MessageQueue({ [key]: 1 }), TypeError, `${key}: a function is needed`);
  }
  // @ts-expect-error no flag
  assertThrows(() => new MessageQueue({ keepTimer: 1 }), TypeError, "keepTimer: true or false");
  const text = { maxBytes: "9" };
  // @ts-expect-error no number
  assertThrows(() => new MessageQueue(text), TypeError, "maxBytes: a number is needed");
});

Deno.test("queue: null and undefined stand for the end, and are no items", async () => {
  for (const overflow of ["block", "drop-newest"] as const) {
    const queue = new MessageQueue<number>({ maxItems: 1, overflow });
    for (let full = 0; full < 2; full++) {
      for (const none of [null, undefined]) {
        // @ts-expect-error no item
        assertThrows(() => queue.push(none), TypeError, `item: must not be ${none}`);
        // @ts-expect-error no item
        await assertRejects(() => queue.put(none), TypeError, `item: must not be ${none}`);
      }
      queue.push(1);
    }
    assertEquals([queue.size, await queue.take()], [1, 1]);
    const reading = queue.take();
    // @ts-expect-error no item
    assertThrows(() => queue.push(null), TypeError);
    queue.push(0);
    assertEquals(await reading, 0);
  }
});

Deno.test("queue: seeded random use never loses, repeats or reorders", async () => {
  let seed = 12345;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed % below;
  };
  for (let round = 0; round < 50; round++) {
    const queue = new MessageQueue<number>({ maxItems: 1 + random(8) });
    const got: number[] = [];
    const pending: Promise<unknown>[] = [];
    let sent = 0;
    const controllers: AbortController[] = [];
    for (let step = 0; step < 200; step++) {
      const what = random(4);
      if (what <= 1) pending.push(queue.put(sent++));
      else if (what === 2) {
        pending.push(queue.take().then((v) => v !== null && got.push(v)));
      } else {
        const controller = new AbortController();
        controllers.push(controller);
        pending.push(
          queue.take({ signal: controller.signal }).then(
            (v) => v !== null && got.push(v),
            () => {},
          ),
        );
        if (random(2) === 0) controller.abort();
      }
    }
    // Let everything through.
    const draining = (async () => {
      for await (const item of queue) got.push(item);
    })();
    while (queue.taken < sent) await Promise.resolve();
    queue.close();
    await Promise.all([...pending, draining]);
    assertEquals(got, Array.from({ length: sent }, (_, i) => i));
  }
});
