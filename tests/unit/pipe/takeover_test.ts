/** Who gets what waits when consumers come and go while others read: nobody loses anything. */
import { assertEquals, assertRejects } from "@std/assert";
import { type NetConf, type Pipe, pipeOpen, PipeTimeoutError, TCP } from "@p2pd/pipes";
import { latch, text, until } from "../../helpers/pipes.ts";

/** A pipe, and a way to have single messages come by it, one after the other. */
async function fed(
  conf: Partial<NetConf>,
  use: (pipe: Pipe, feed: (...messages: string[]) => Promise<void>) => Promise<void>,
) {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = listener.addr;
  const pipe = await pipeOpen(TCP, { dest: { hostname, port }, conf });
  using peer = await listener.accept();
  const feed = async (...messages: string[]) => {
    for (const message of messages) {
      const before = pipe.stats.messagesIn;
      await peer.write(new TextEncoder().encode(message));
      await until(() => pipe.stats.messagesIn > before, "received");
    }
  };
  try {
    await use(pipe, feed);
  } finally {
    await pipe.close();
  }
}

/** Ways to consume a pipe besides a loop. */
const CONSUMERS: Readonly<Record<string, (pipe: Pipe, got: unknown[]) => unknown>> = {
  handler: (pipe, got) => pipe.addMsgCb((msg) => void got.push(text(msg))),
  "subscription with a handler": (pipe, got) =>
    pipe.subscribe(undefined, (msg) => void got.push(text(msg))),
  subscription: async (pipe, got) => {
    for await (const [msg] of pipe.subscribe()) got.push(text(msg));
  },
};

for (const [name, consume] of Object.entries(CONSUMERS)) {
  Deno.test(`takeover: a ${name} made in a loop gets what waits, and what comes later`, async () => {
    await fed({}, async (pipe, feed) => {
      await feed("A", "B", "C");
      const got: unknown[] = [], read: unknown[] = [];
      for await (const [msg] of pipe) {
        read.push(text(msg));
        consume(pipe, got);
        break;
      }
      await feed("D");
      await until(() => got.length >= 3, "all there");
      assertEquals([read, got], [["A"], ["B", "C", "D"]]);
      assertEquals(pipe.stats.queued, 0);
    });
  });

  Deno.test(`takeover: a loop that goes on beside a ${name} gets everything all the same`, async () => {
    await fed({}, async (pipe, feed) => {
      await feed("A", "B", "C");
      const got: unknown[] = [], read: unknown[] = [];
      for await (const [msg] of pipe) {
        read.push(text(msg));
        if (read.length === 1) consume(pipe, got);
        if (read.length === 3) await feed("D");
        if (read.length === 4) break;
      }
      await until(() => got.length >= 3, "all there");
      assertEquals([read, got], [["A", "B", "C", "D"], ["B", "C", "D"]]);
    });
  });
}

Deno.test("takeover: what a consumer made in a loop does not hear can still be read", async () => {
  await fed({ framing: "raw" }, async (pipe, feed) => {
    await feed("A", "B1", "C", "B2");
    const got: unknown[] = [];
    for await (const _ of pipe) {
      pipe.subscribe({ match: "B" }, (msg) => void got.push(text(msg)));
      break;
    }
    await until(() => got.length === 2, "all there");
    assertEquals(got, ["B1", "B2"]);
    assertEquals(text(await pipe.recv()), "C");
  });
});

Deno.test("takeover: a link made in a loop relays what waits", async () => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const target = await pipeOpen(TCP, { dest: server.localAddr });
  const sink = await server.accept();
  await fed({}, async (pipe, feed) => {
    await feed("A", "B", "C");
    for await (const _ of pipe) {
      pipe.addPipe(target);
      break;
    }
    await feed("D");
    assertEquals(text(await sink?.readExactly(3)), "BCD");
  });
  await target.close();
});

Deno.test("takeover: a handler of a server made in its loop gets what waits", async () => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  const loop = server[Symbol.asyncIterator]();
  const first = loop.next();
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  const got: unknown[] = [];
  for (const [i, message] of ["A", "B", "C"].entries()) {
    await client.send(message);
    await until(() => server.stats.messagesIn > i, "received");
  }
  await first;
  server.addMsgCb((msg) => void got.push(text(msg)));
  await loop.return?.();
  await client.send("D");
  await until(() => got.length >= 3, "all there");
  assertEquals(got, ["B", "C", "D"]);
});

Deno.test("takeover: what waited for a handler that is removed is for a loop begun meanwhile", async () => {
  const { done, open } = latch();
  await fed({}, async (pipe, feed) => {
    const handled: unknown[] = [];
    const handler = async (msg: Uint8Array) => {
      handled.push(text(msg));
      await done;
    };
    pipe.addMsgCb(handler);
    await feed("1", "2", "3");
    const loop = pipe[Symbol.asyncIterator](), first = loop.next();
    pipe.delMsgCb(handler);
    await feed("4");
    const read = [await first, await loop.next(), await loop.next()];
    assertEquals(read.map(({ value }) => text(value?.[0])), ["2", "3", "4"]);
    assertEquals(handled, ["1"]);
    open();
  });
});

Deno.test("takeover: what both a removed handler and a loop had is not given twice", async () => {
  const { done, open } = latch();
  await fed({}, async (pipe, feed) => {
    const handler = async () => await done;
    pipe.addMsgCb(handler);
    await feed("1", "2");
    const loop = pipe[Symbol.asyncIterator](), first = loop.next();
    await feed("3", "4");
    assertEquals(text((await first).value?.[0]), "3");
    pipe.delMsgCb(handler);
    const left = [await loop.next(), await loop.next()];
    assertEquals(left.map(({ value }) => text(value?.[0])), ["2", "4"]);
    open();
  });
});

Deno.test("handlers: a result whose then cannot be read is reported, and what waits is handled", async () => {
  const errors: unknown[] = [], handled: unknown[] = [];
  const { done, open } = latch();
  const onError = (error: unknown) => void errors.push(error);
  await fed({ onError }, async (pipe, feed) => {
    pipe.addMsgCb(async () => await done);
    pipe.addMsgCb((msg) => {
      handled.push(text(msg));
      if (handled.length !== 2) return;
      return {
        get then(): never {
          throw new Error("odd");
        },
      };
    });
    await feed("1", "2", "3");
    open();
    await until(() => handled.length === 3, "all handled");
    assertEquals([handled, errors.map(String)], [["1", "2", "3"], ["Error: odd"]]);
  });
});

Deno.test("takeover: a handler of a server gets what a reader left of a connection that was reset", async () => {
  await using server = await pipeOpen(TCP, { route: "127.0.0.1:0" });
  await assertRejects(() => server.recv(undefined, { timeout: 0 }), PipeTimeoutError);
  // One with a route can be reset.
  await using client = await pipeOpen(TCP, { dest: server.localAddr, route: "127.0.0.1:0" });
  await client.send("last words");
  await until(() => server.stats.queued === 1, "arrival");
  client.abort();
  await until(() => server.clients.size === 0, "the reset");
  const got: unknown[] = [];
  server.addMsgCb((msg, from) => void got.push(text(msg), from));
  await until(() => got.length > 0, "the message");
  assertEquals(got, ["last words", client.localAddr]);
  assertEquals(server.stats.queued, 0);
});
