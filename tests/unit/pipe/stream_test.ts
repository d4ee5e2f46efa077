/** TCP as a stream: order, half-close, resets, and readers that are slow or absent. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { type Pipe, PipeClosedError, pipeOpen, PipeStateError, TCP } from "@p2pd/pipes";
import { latch, recvAll, recvText, text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";
const connect = (server: Pipe) => pipeOpen(TCP, { dest: server.localAddr });

Deno.test("stream: handlers of one stream finish one after the other", async () => {
  const log: string[] = [];
  let delay = 5;
  await using server = await pipeOpen(TCP, {
    route,
    msgCb: async (msg) => {
      const word = text(msg);
      log.push(`start ${word}`);
      await new Promise((resolve) => setTimeout(resolve, delay--));
      log.push(`end ${word}`);
    },
  });
  await using client = await connect(server);
  for (const word of ["a", "b", "c"]) {
    const seen = server.stats.messagesIn;
    await client.send(word);
    await until(() => server.stats.messagesIn > seen, "arrival");
  }
  await until(() => log.length === 6, "all three");
  assertEquals(log, ["start a", "end a", "start b", "end b", "start c", "end c"]);
});

Deno.test("stream: reading goes on while a handler runs, so it may recv and close", async () => {
  const got: string[] = [];
  await using server = await pipeOpen(TCP, {
    route,
    msgCb: async (msg, _from, pipe) => {
      if (got.length > 0) return;
      got.push(String(text(msg)));
      got.push(String(text(await pipe.recv())));
      await pipe.close();
    },
  });
  await using client = await connect(server);
  await client.send("first");
  await until(() => got.length === 1, "the handler");
  await client.send("second");
  assertEquals(await client.recv(), null);
  assertEquals(got, ["first", "second"]);
});

Deno.test("stream: a handler that removes itself leaves what follows to recv", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await connect(server);
  const done = latch<string>();
  const pipe = await server.accept();
  const gate = latch();
  const handler = async (): Promise<void> => {
    await gate.done;
    pipe?.delMsgCb(handler);
    done.open(String(text(await pipe?.recv())));
  };
  pipe?.addMsgCb(handler);
  await client.send("first");
  await until(() => server.stats.messagesIn === 1, "the first");
  await client.send("second");
  await until(() => server.stats.messagesIn === 2, "the second");
  gate.open();
  assertEquals(await done.done, "second");
});

Deno.test("stream: nobody reads: it stops being read at readerLimit, and no byte is lost", async () => {
  await using server = await pipeOpen(TCP, { route, conf: { readerLimit: 10_000 } });
  await using client = await connect(server);
  const accepted = await server.accept();
  const data = Uint8Array.from({ length: 20 * 1024 * 1024 }, (_, i) => i % 251);
  let sent = false;
  const sending = client.send(data).then(() => sent = true);
  await until(() => (accepted?.stats.bytesIn ?? 0) >= 10_000, "the limit");
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  const held = accepted?.stats.bytesIn ?? 0;
  assert(held < 10_000 + 65_536, `${held} bytes were read ahead`);
  assertEquals(sent, false);
  let at = 0;
  while (at < data.length) {
    const part = await accepted?.recv();
    if (!part) throw new Error("the stream ended early");
    for (const byte of part) if (byte !== at++ % 251) throw new Error(`byte ${at} differs`);
  }
  await sending;
  assertEquals(accepted?.stats.dropped, 0);
});

Deno.test("stream: maxQsize bounds it by messages", async () => {
  await using server = await pipeOpen(TCP, { route, conf: { maxQsize: 2 } });
  await using client = await connect(server);
  await using accepted = await server.accept();
  for (let i = 0; i < 5; i++) {
    await client.send("x");
    await until(() => (accepted?.stats.messagesIn ?? 0) >= Math.min(i + 1, 2), "arrival");
  }
  assertEquals(accepted?.stats.messagesIn, 2);
  assertEquals(await recvText(accepted ?? client, 5), "xxxxx");
});

Deno.test("stream: a handler slower than its peer slows the peer", async () => {
  const gate = latch();
  await using server = await pipeOpen(TCP, { route, msgCb: () => gate.done });
  await using client = await connect(server);
  let sent = false;
  const sending = client.send(new Uint8Array(20 * 1024 * 1024)).then(() => sent = true);
  await until(() => server.stats.queued > 0, "a queue");
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(sent, false);
  assert(server.stats.bytesIn < 300_000, `${server.stats.bytesIn} bytes were read`);
  gate.open();
  await sending;
});

Deno.test("stream: end of stream: what came is read, then null, and we can still send", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await connect(server);
  await using accepted = await server.accept();
  await client.send("last words");
  await client.closeWrite();
  await client.closeWrite();
  await assertRejects(() => client.send("more"), PipeStateError, "closeWrite");
  assertEquals(await recvAll(accepted ?? client), "last words");
  assertEquals(await accepted?.recv(), null);
  await accepted?.send("and mine");
  await accepted?.close();
  assertEquals(await recvAll(client), "and mine");
  assertEquals(await client.closed, { by: "remote" });
});

Deno.test("stream: reset: queued messages first, then the error, and it is told", async () => {
  await using server = await pipeOpen(TCP, { route });
  const rude = await pipeOpen(TCP, { dest: server.localAddr, route });
  await using accepted = await server.accept();
  if (accepted === null) throw new Error("unreachable");
  let ends = 0;
  accepted.addEndCb(() => void ends++);
  await rude.send("first");
  await until(() => accepted.stats.bytesIn === 5, "arrival");
  rude.abort();
  const info = await accepted.closed;
  assertEquals(info.by, "reset");
  assertInstanceOf(info.error, Deno.errors.ConnectionReset);
  assertEquals(text(await accepted.recv()), "first");
  const error = await assertRejects(() => accepted.recv(), PipeClosedError, "reset");
  assertInstanceOf(error.cause, Deno.errors.ConnectionReset);
  await assertRejects(async () => {
    for await (const _ of accepted);
  }, PipeClosedError);
  await assertRejects(() => accepted.send("x"), PipeClosedError);
  assertEquals(ends, 1);
});

Deno.test("stream: close waits for what was sent, also to a peer that reads late", async () => {
  await using server = await pipeOpen(TCP, { route });
  const client = await connect(server);
  const accepted = await server.accept();
  if (accepted === null) throw new Error("unreachable");
  const size = 30 * 1024 * 1024;
  const sending = client.send(new Uint8Array(size));
  let closed = false;
  const closing = client.close().then(() => closed = true);
  await assertRejects(() => client.send("too late"), PipeClosedError);
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(closed, false);
  let got = 0;
  for await (const [msg] of accepted) got += msg.length;
  assertEquals(got, size);
  assertEquals(await sending, size);
  await closing;
});

Deno.test("stream: abort does not wait for a peer that never reads, nor does close then", async () => {
  await using server = await pipeOpen(TCP, { route });
  const client = await connect(server);
  await server.accept();
  const sending = client.send(new Uint8Array(30 * 1024 * 1024));
  const closing = client.close();
  client.abort(new Error("no patience"));
  await assertRejects(() => sending, PipeClosedError);
  await closing;
  assertEquals((await client.closed).by, "local");
});

Deno.test("stream: both sides that send much before they read close without a deadlock", async () => {
  await using server = await pipeOpen(TCP, {
    route,
    msgCb: (msg, _from, pipe) => pipe.send(msg),
  });
  const client = await connect(server);
  // The echo comes back while we close and nobody reads it here.
  const sending = client.send(new Uint8Array(8 * 1024 * 1024));
  await client.close();
  await sending;
});

Deno.test("stream: a client with handlers alone closes itself after its peer", async () => {
  await using server = await pipeOpen(TCP, { route });
  const got: string[] = [];
  const client = await pipeOpen(TCP, {
    dest: server.localAddr,
    msgCb: async (msg, _from, pipe) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      got.push(String(text(msg)));
      await pipe.send("thanks");
    },
  });
  await using accepted = await server.accept();
  await accepted?.send("goods");
  await accepted?.closeWrite();
  assertEquals(await client.closed, { by: "remote" });
  assertEquals(got, ["goods"]);
  assertEquals(await recvAll(accepted ?? client), "thanks");
});

Deno.test("stream: an up handler that takes its time comes before the first message", async () => {
  const log: string[] = [];
  await using server = await pipeOpen(TCP, {
    route,
    upCb: async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      log.push("up");
    },
    msgCb: (msg) => void log.push(String(text(msg))),
  });
  await using client = await connect(server);
  await client.send("msg");
  await until(() => log.length === 2, "both");
  assertEquals(log, ["up", "msg"]);
});
