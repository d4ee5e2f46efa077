/** Pipes that were reset, and are then closed or aborted by their owner, or by a link. */
import { assertEquals, assertRejects } from "@std/assert";
import { lines, PipeClosedError, pipeOpen, TCP } from "@p2pd/pipes";
import { latch, text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";
const conf = { framing: lines() };

/** An accepted connection, and its client that can reset it. */
async function pair() {
  const server = await pipeOpen(TCP, { route, conf });
  const client = await pipeOpen(TCP, { dest: server.localAddr, conf, route });
  const accepted = await server.accept();
  if (accepted === null) throw new Error("unreachable");
  /** Sends so many messages and a reset, when all of them have arrived. */
  const reset = async (...messages: string[]) => {
    for (const message of messages) await client.send(message);
    await until(() => accepted.stats.messagesIn === messages.length, "arrival");
    client.abort();
    assertEquals((await accepted.closed).by, "reset");
  };
  return { server, accepted, reset, [Symbol.asyncDispose]: () => server.close() };
}

for (const how of ["close", "abort"] as const) {
  Deno.test(`reset, then ${how}: no handler is called after the end handler`, async () => {
    await using p = await pair();
    const log: unknown[] = [], first = latch();
    p.accepted.addMsgCb(async (msg) => {
      log.push(text(msg));
      await first.done;
    });
    p.accepted.addEndCb(() => void log.push("end"));
    await p.reset("1", "2", "3");
    await p.accepted[how]();
    first.open();
    await until(() => p.server.stats.queued === 0, "the rest to be forgotten");
    assertEquals(log, ["1", "end"]);
  });

  Deno.test(`reset, then ${how}: what is unread is forgotten, as by any ${how}`, async () => {
    await using p = await pair();
    const sub = p.accepted.subscribe();
    await p.reset("1", "2", "3");
    assertEquals(text(await sub.recv()), "1");
    await p.accepted[how]();
    await assertRejects(() => sub.recv(), PipeClosedError, "reset");
    assertEquals(p.server.stats.queued, 0);
  });
}

Deno.test("reset of a linked pipe: others get what had come before the end", async () => {
  await using p = await pair();
  await using q = await pair();
  const log: unknown[] = [], first = latch();
  const sub = p.accepted.subscribe();
  p.accepted.addMsgCb(async (msg) => {
    log.push(text(msg));
    await first.done;
  });
  p.accepted.addEndCb(() => void log.push("end"));
  p.accepted.addPipe(q.accepted);
  q.accepted.addPipe(p.accepted);
  await p.reset("1", "2");
  await q.accepted.closed;
  first.open();
  await until(() => log.includes("end"), "the end");
  assertEquals(log, ["1", "2", "end"]);
  assertEquals([text(await sub.recv()), text(await sub.recv())], ["1", "2"]);
  await assertRejects(() => sub.recv(), PipeClosedError, "reset");
});

for (const how of ["close", "abort"] as const) {
  Deno.test(`reset, then ${how} of the server: no handler is called any more`, async () => {
    const log: unknown[] = [], first = latch();
    const server = await pipeOpen(TCP, {
      route,
      conf,
      msgCb: async (msg) => {
        log.push(text(msg));
        await first.done;
        log.push("done");
      },
      endCb: () => void log.push("end"),
    });
    const client = await pipeOpen(TCP, { dest: server.localAddr, conf, route });
    for (const message of ["1", "2", "3"]) await client.send(message);
    await until(() => server.stats.messagesIn === 3, "arrival");
    client.abort();
    await until(() => server.clients.size === 0, "the reset");
    await server[how]();
    await server.closed;
    first.open();
    await until(() => log.includes("done"), "the handler's end");
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(log, ["1", "end", "done"]);
    assertEquals(server.stats.queued, 0);
  });
}

Deno.test("reset: a handler that the server removes gets no more of what waits, another one does", async () => {
  await using server = await pipeOpen(TCP, { route, conf });
  const client = await pipeOpen(TCP, { dest: server.localAddr, conf, route });
  const log: unknown[] = [], first = latch();
  const one = async (msg: Uint8Array) => {
    log.push(`one ${text(msg)}`);
    await first.done;
  };
  server.addMsgCb(one).addEndCb(() => void log.push("end"));
  for (const message of ["1", "2", "3"]) await client.send(message);
  await until(() => server.stats.messagesIn === 3, "arrival");
  client.abort();
  await until(() => server.clients.size === 0, "the reset");
  server.delMsgCb(one);
  server.addMsgCb((msg) => void log.push(`two ${text(msg)}`));
  first.open();
  await until(() => log.includes("end"), "the end");
  assertEquals(log, ["one 1", "two 2", "two 3", "end"]);
});
