import { assertEquals, assertRejects } from "@std/assert";
import {
  PipeClosedError,
  pipeOpen,
  PipeTimeoutError,
  type ServerPipe,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { ListenPipe } from "../../../lib/pipe/server.ts";
import { text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";

Deno.test("request: more than may be under way time out together, and the next ones work", async () => {
  await using silent = await pipeOpen(UDP, { route });
  await using pipe = await pipeOpen(UDP, { dest: silent.localAddr });
  const asked = Array.from({ length: 200 }, (_, i) => pipe.request(`${i}`, { timeout: 60 }));
  for (const { status } of await Promise.allSettled(asked)) assertEquals(status, "rejected");
  await assertRejects(() => pipe.request("later", { timeout: 100 }), PipeTimeoutError);
  silent.addMsgCb((msg, from) => silent.send(msg, from));
  assertEquals(text((await pipe.request("hello", { match: "hello" }))[0]), "hello");
});

Deno.test("request: what waits for its turn is not sent when all of it is ended", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  const accepted = await server.accept();
  // Each tenth of a second without an answer lets another thousand go.
  const asked = Array.from({ length: 10_000 }, () => client.request("1234", { timeout: 5000 }));
  const settled = Promise.allSettled(asked);
  let got = 0;
  while (got < 100) got += (await accepted?.recv())?.length ?? 0;
  await accepted?.closeWrite();
  for (const result of await settled) assertEquals(result.status, "rejected");
  const sent = client.stats.bytesOut;
  assertEquals(sent < 10_000 * 4, true, `${sent} bytes`);
});

for (const how of ["close", "abort", "the peer's end"]) {
  Deno.test(`readExactly: two that wait leave no timer behind at ${how}`, async () => {
    await using server = await pipeOpen(TCP, { route });
    await using client = await pipeOpen(TCP, { dest: server.localAddr });
    const accepted = await server.accept();
    await accepted?.send("abc");
    const reads = [client.readExactly(10), client.readExactly(10)];
    const settled = Promise.allSettled(reads);
    await until(() => client.stats.bytesIn === 3, "the bytes");
    if (how === "close") await client.close();
    else if (how === "abort") client.abort();
    else await accepted?.close();
    for (const result of await settled) {
      if (result.status === "rejected") {
        assertEquals(result.reason instanceof PipeClosedError, true);
      }
    }
  });
}

for (const proto of [TCP, UDP]) {
  Deno.test(`${proto}: a loop that is left while it waits twice takes nothing any more`, async () => {
    await using server = await pipeOpen(proto, { route });
    await using client = await pipeOpen(proto, { dest: server.localAddr });
    const loop = server[Symbol.asyncIterator]();
    const waits = [loop.next(), loop.next()];
    await loop.return?.();
    for (const wait of waits) assertEquals((await wait).done, true);
    await client.send("hello");
    assertEquals(text(await server.recv()), "hello");
  });
}

Deno.test("subscribe: one handler for everything twice is two subscriptions", async () => {
  await using server = await pipeOpen(UDP, { route });
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  let calls = 0;
  const handler = () => void calls++;
  const first = server.subscribe(undefined, handler);
  server.subscribe(undefined, handler);
  await client.send("one");
  await until(() => calls === 2, "two calls");
  first.close();
  await client.send("two");
  await until(() => calls === 3, "one call more");
});

Deno.test("udp: a frozen dest whose getters change is looked at each time", async () => {
  await using a = await pipeOpen(UDP, { route });
  await using b = await pipeOpen(UDP, { route });
  await using pipe = await pipeOpen(UDP, { route });
  let { port } = a.localAddr;
  const dest = Object.freeze({
    hostname: "127.0.0.1",
    get port() {
      return port;
    },
  });
  await pipe.send("to a", dest);
  port = b.localAddr.port;
  await pipe.send("to b", dest);
  assertEquals([text(await a.recv()), text(await b.recv())], ["to a", "to b"]);
});

Deno.test("server: its connections go on sharing one list of handlers when one is removed", async () => {
  await using server: ServerPipe = await pipeOpen(TCP, { route, msgCb: () => {} });
  const other = () => {};
  server.addMsgCb(other);
  await using one = await pipeOpen(TCP, { dest: server.localAddr });
  await using two = await pipeOpen(TCP, { dest: server.localAddr });
  await until(() => server.clients.size === 2, "two clients");
  server.delMsgCb(other);
  const shared = server instanceof ListenPipe ? server.handlers : undefined;
  for (const client of server.clients) {
    assertEquals("handlers" in client && client.handlers === shared, true);
  }
  assertEquals([one.role, two.role], ["client", "client"]);
});
