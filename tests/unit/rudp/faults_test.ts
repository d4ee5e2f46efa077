/** Faults 19 to 23 of the original, each by its name. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { pipeOpen, PipeTimeoutError, RUDP, UDP } from "@p2pd/pipes";
import { memoryNetwork } from "@p2pd/pipes/testing";
import { text } from "../../helpers/pipes.ts";
import { turns } from "../../helpers/turns.ts";

const route = "127.0.0.1:0";

Deno.test("fault 19: send() on reliable UDP loses 9 bytes", async () => {
  await using server = await pipeOpen(RUDP, { route });
  await using client = await pipeOpen(RUDP, { dest: server.localAddr });
  assertEquals(await client.send("0123456789"), 10);
  assertEquals(text(await server.recv()), "0123456789");
  assertEquals([client.stats.bytesOut, server.stats.bytesIn], [10, 10]);
});

Deno.test("fault 20: reliable UDP never says that it failed", async () => {
  await using mute = await pipeOpen(UDP, { route });
  await using client = await pipeOpen(RUDP, { dest: mute.localAddr, conf: { ackTimeout: 100 } });
  const error = await assertRejects(() => client.send("anybody?"), PipeTimeoutError);
  assertEquals(error.addr, mute.localAddr);
  assert(error.message.includes("not acknowledged within 100 ms"), error.message);
  assertEquals(client.stats.messagesOut, 0);
});

Deno.test("fault 21: close() fakes acknowledgements", async () => {
  await using mute = await pipeOpen(UDP, { route });
  const client = await pipeOpen(RUDP, { dest: mute.localAddr, conf: { ackTimeout: 100 } });
  const sends = [client.send("a"), client.send("b"), client.send("c")];
  const results = Promise.allSettled(sends);
  await client.close();
  for (const { status } of await results) assertEquals(status, "rejected");
});

Deno.test("fault 22: the table of messages under way is reset at 1,000", async () => {
  const net = memoryNetwork();
  await using server = await net.pipeOpen(RUDP, { route: "10.0.0.1:5" });
  await using client = await net.pipeOpen(RUDP, { dest: server.localAddr });
  const got = new Set<string>();
  server.addMsgCb((msg) => void got.add(text(msg) ?? ""));
  const sends = Array.from({ length: 3000 }, (_, i) => client.send(`${i}`));
  assertEquals((await Promise.allSettled(sends)).filter((r) => r.status === "rejected"), []);
  assertEquals(got.size, 3000);
});

Deno.test("fault 23: equal messages are taken for repetitions", async () => {
  await using server = await pipeOpen(RUDP, { route });
  await using client = await pipeOpen(RUDP, { dest: server.localAddr });
  for (let i = 0; i < 3; i++) await client.send("again");
  for (let i = 0; i < 3; i++) assertEquals(text(await server.recv()), "again");
  await turns(2);
  assertEquals([server.stats.messagesIn, server.stats.duplicates], [3, 0]);
});
