/** Loops that ask for the next message before they are done with the last, or before they have it. */
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { type Pipe, PipeClosedError, pipeOpen, TCP } from "@p2pd/pipes";
import net from "node:net";
import { latch, text, until } from "../../helpers/pipes.ts";
import { turns } from "../../helpers/turns.ts";

const route = "127.0.0.1:0";

/** Sends a question, ends its side, and gives all of the answer. */
async function ask(server: Pipe, question: string): Promise<unknown> {
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  await client.send(question);
  await client.closeWrite();
  let answer = "";
  for await (const [data] of client) answer += text(data);
  return answer;
}

Deno.test("ahead: a server's loop that has two steps under way answers both clients", async () => {
  await using server = await pipeOpen(TCP, { route });
  const both = latch();
  let asked = 0;
  const loop = server[Symbol.asyncIterator]();
  const answer = async (step: ReturnType<typeof loop.next>) => {
    const { value } = await step;
    if (value === undefined) return;
    if (++asked === 2) both.open();
    await both.done;
    await turns(20); // in which a connection that nobody has in hand closes itself
    await server.send(`re: ${text(value[0])}`, value[1]);
  };
  const answers = Promise.all([answer(loop.next()), answer(loop.next())])
    .then(() => loop.return?.()); // till then it has them in hand
  assertEquals(await Promise.all([ask(server, "one"), ask(server, "two")]), ["re: one", "re: two"]);
  await answers;
});

Deno.test("ahead: two who call recvFrom of a server answer both clients", async () => {
  await using server = await pipeOpen(TCP, { route, conf: { recvTimeout: Infinity } });
  const both = latch();
  let asked = 0;
  const worker = async () => {
    for (let got; (got = await server.recvFrom()) !== null;) {
      if (++asked === 2) both.open();
      await both.done;
      await turns(20);
      await server.send(`re: ${text(got[0])}`, got[1]);
    }
  };
  const workers = Promise.all([worker(), worker()]);
  assertEquals(await Promise.all([ask(server, "one"), ask(server, "two")]), ["re: one", "re: two"]);
  await server.close();
  await workers;
});

Deno.test("ahead: when the pipe fails one step does, and the others are the end", async () => {
  const peer = net.createServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
  await new Promise<void>((resolve) => peer.listen(0, "127.0.0.1", resolve));
  const address = peer.address();
  assert(typeof address === "object" && address !== null);
  const pipe = await pipeOpen(TCP, { dest: ["127.0.0.1", address.port] });
  const loop = pipe[Symbol.asyncIterator](), other = pipe[Symbol.asyncIterator]();
  const steps = [loop.next(), loop.next(), loop.next()];
  const failed = assertRejects(() => other.next(), PipeClosedError);
  await pipe.send("now");
  await assertRejects(async () => await steps[0], PipeClosedError);
  await failed;
  const end = { done: true as const, value: undefined };
  assertEquals(await Promise.all(steps.slice(1)), [end, end]);
  assertEquals(await loop.next(), end);
  // One who asks only now is told as well, once.
  const late = pipe[Symbol.asyncIterator]();
  await assertRejects(() => late.next(), PipeClosedError);
  assertEquals(await late.next(), end);
  await new Promise((resolve) => peer.close(resolve));
});

Deno.test("ahead: a hundred thousand steps take no longer than their number", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  const loop = client[Symbol.asyncIterator]();
  const start = performance.now();
  const steps = Array.from({ length: 100_000 }, () => loop.next());
  assertLess(performance.now() - start, 3000);
  const accepted = await server.accept();
  for (let i = 0; i < 3; i++) {
    await accepted?.send(`${i}`);
    const { value } = await steps[i] ?? {};
    assertEquals(text(value?.[0]), `${i}`);
  }
  await accepted?.close();
  assertEquals((await Promise.all(steps.slice(3))).every(({ done }) => done), true);
});

Deno.test("ahead: who transfers what he was lent, too late, breaks nothing", async () => {
  await using server = await pipeOpen(TCP, { route });
  const size = 1 << 20;
  const pipe = await pipeOpen(TCP, { dest: server.localAddr, conf: { reuseBuffers: true } });
  let last: Uint8Array | undefined, received = 0, transferred = 0;
  pipe.addMsgCb((message) => {
    received += message.length;
    if (message.length < 32 * 1024) return;
    const before = last;
    last = message;
    if (!(before?.buffer instanceof ArrayBuffer) || before.length === 0) return;
    structuredClone(before.buffer, { transfer: [before.buffer] });
    transferred++;
  });
  const accepted = await server.accept();
  await accepted?.send(new Uint8Array(size));
  await until(() => received === size, "all there");
  assert(transferred > 0);
  await accepted?.close();
  assertEquals((await pipe.closed).error, undefined);
});
