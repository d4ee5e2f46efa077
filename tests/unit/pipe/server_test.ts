/** TCP servers: accepting, handlers per connection, and how a connection ends. */
import { assertEquals, assertRejects } from "@std/assert";
import {
  type Pipe,
  PipeClosedError,
  pipeOpen,
  PipeStateError,
  PipeTimeoutError,
  type ServerPipe,
  TCP,
} from "@p2pd/pipes";
import { latch, recvAll, recvText, text, until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";
const connect = (server: Pipe) => pipeOpen(TCP, { dest: server.localAddr });

Deno.test("server: accept gives each connection once, in order", async () => {
  await using server = await pipeOpen(TCP, { route });
  const early = server.accept();
  const clients = [await connect(server), await connect(server), await connect(server)];
  const ports = [];
  for (const pipe of [await early, await server.accept(), await server.accept()]) {
    ports.push(pipe?.remoteAddr?.port);
  }
  assertEquals(ports, clients.map((c) => c.localAddr.port));
  await assertRejects(() => server.accept({ timeout: 1 }), PipeTimeoutError);
  const waiting = server.accept();
  await server.close();
  assertEquals([await waiting, await server.accept()], [null, null]);
  for (const client of clients) await client.close();
});

Deno.test("server: connections() is a loop that ends with the server", async () => {
  await using server = await pipeOpen(TCP, { route });
  const got: string[] = [];
  const loop = (async () => {
    for await (const pipe of server.connections()) {
      await using _ = pipe;
      got.push(await recvAll(pipe));
      await pipe.send(`${got.length}`);
    }
  })();
  for (const word of ["a", "b"]) {
    await using client = await connect(server);
    await client.send(word);
    await client.closeWrite();
    await recvAll(client);
  }
  await server.close();
  await loop;
  assertEquals(got, ["a", "b"]);
});

Deno.test("server: clients are those connected now", async () => {
  await using server = await pipeOpen(TCP, { route, msgCb: () => {} });
  const a = await connect(server);
  const b = await connect(server);
  await until(() => server.clients.size === 2, "two clients");
  await a.close();
  await until(() => server.clients.size === 1, "one client");
  assertEquals([...server.clients][0]?.remoteAddr?.port, b.localAddr.port);
  await b.close();
});

Deno.test("server: send goes to the client that is named, in any form", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await connect(server);
  await until(() => server.clients.size === 1, "the client");
  const { port } = client.localAddr;
  await server.send("1", ["127.0.0.1", port]);
  await server.send("2", `127.0.0.1:${port}`);
  await server.send("3", `[::ffff:7f00:1]:${port}`);
  await server.send("4", { hostname: "::ffff:127.0.0.1", port });
  assertEquals(await recvText(client, 4), "1234");
  await assertRejects(() => server.send("x", ["127.0.0.1", 1]), PipeClosedError, "127.0.0.1:1");
  await assertRejects(() => client.send("x", ["127.0.0.1", 1]), PipeStateError, "connected to");
  await assertRejects(() => server.closeWrite(), PipeStateError);
});

Deno.test("server: request asks one client", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await pipeOpen(TCP, {
    dest: server.localAddr,
    msgCb: (msg, _from, pipe) => pipe.send(`re: ${text(msg)}`),
  });
  await until(() => server.clients.size === 1, "the client");
  const [reply, from] = await server.request("question", { dest: client.localAddr });
  assertEquals([text(reply), from], ["re: question", client.localAddr]);
});

Deno.test("server: handlers added later apply to open connections and what they sent", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await connect(server);
  await client.send("before");
  await until(() => server.stats.queued === 1, "arrival");
  const log: string[] = [];
  server.addUpCb((_m, from) => void log.push(`up ${from.port === client.localAddr.port}`));
  server.addMsgCb((msg) => void log.push(String(text(msg))));
  await until(() => log.length === 2, "both");
  assertEquals(log, ["up true", "before"]);
});

Deno.test("server: recv takes from whichever connection; one that is accepted is left alone", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using a = await connect(server);
  await using mine = await server.accept();
  await using b = await connect(server);
  await a.send("for the owner");
  await b.send("for the server");
  assertEquals(text(await server.recv()), "for the server");
  assertEquals(text(await mine?.recv()), "for the owner");
  await b.send("again");
  const [msg, from] = await server.recvFrom() ?? [];
  assertEquals([text(msg), from?.port], ["again", b.localAddr.port]);
});

Deno.test("server: a client's reset ends neither the loop nor the others", async () => {
  await using server = await pipeOpen(TCP, { route, conf: { onError: () => {} } });
  const seen: string[] = [];
  const loop = (async () => {
    for await (const [msg, from] of server) {
      seen.push(String(text(msg)));
      await server.send("ok", from).catch(() => {}); // it may have gone
    }
  })();
  // A route makes the client one that can send a reset.
  const rude = await pipeOpen(TCP, { dest: server.localAddr, route: "127.0.0.1:0" });
  await rude.send("rude");
  await until(() => seen.length === 1, "its message");
  rude.abort();
  await until(() => server.clients.size === 0, "its end");
  await using polite = await connect(server);
  await polite.send("polite");
  assertEquals(text(await polite.recv()), "ok");
  await server.close();
  await loop;
});

Deno.test("server: closing ends the clients' connections and runs their end handlers", async () => {
  const ended = latch();
  const server = await pipeOpen(TCP, { route, endCb: () => ended.open(), msgCb: () => {} });
  await using client = await connect(server);
  await until(() => server.clients.size === 1, "the client");
  await server.close();
  await ended.done;
  assertEquals(await client.recv(), null);
  assertEquals(server.clients.size, 0);
});

for (
  const [how, begin] of Object.entries<(server: ServerPipe) => void>({
    "a handler": (server) => void server.addMsgCb((msg, _from, pipe) => pipe.send(msg)),
    "a slow handler": (server) =>
      void server.addMsgCb(async (msg, _from, pipe) => {
        for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
        await pipe.send(msg);
      }),
    "a loop": (server) =>
      void (async () => {
        for await (const [msg, from] of server) {
          for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
          await server.send(msg, from);
        }
      })(),
    "a subscription": (server) =>
      void (async () => {
        for await (const [msg, from] of server.subscribe()) {
          for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
          await server.send(msg, from);
        }
      })(),
  })
) {
  Deno.test(`server: half-close does not kill the answer under way of ${how}`, async () => {
    await using server = await pipeOpen(TCP, { route });
    begin(server);
    await using client = await connect(server);
    await client.send("question");
    await client.closeWrite();
    assertEquals(await recvAll(client), "question");
    await until(() => server.clients.size === 0, "the connection closes by itself");
  });
}

Deno.test("server: an end handler can still answer", async () => {
  await using server = await pipeOpen(TCP, {
    route,
    endCb: async (_msg, _from, pipe) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      await pipe.send("total: 0");
    },
  });
  await using client = await connect(server);
  await client.closeWrite();
  assertEquals(await recvAll(client), "total: 0");
  await until(() => server.clients.size === 0, "the connection closes by itself");
});

Deno.test("server: an accepted connection stays half-open until its owner closes it", async () => {
  await using server = await pipeOpen(TCP, { route });
  await using client = await connect(server);
  const pipe = await server.accept();
  await client.send("all of it");
  await client.closeWrite();
  assertEquals(await recvAll(pipe ?? client), "all of it");
  await pipe?.send("the answer");
  await pipe?.close();
  assertEquals(await recvAll(client), "the answer");
  assertEquals(await pipe?.closed, { by: "remote" });
});

Deno.test("server: with nobody to take them, connections wait in the system's backlog", async () => {
  await using server = await pipeOpen(TCP, { route, conf: { backlog: 2 } });
  const clients = [];
  for (let i = 0; i < 4; i++) clients.push(await connect(server));
  await until(() => server.clients.size === 2, "two taken");
  // A turn of the event loop later it has still not taken a third.
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(server.clients.size, 2);
  const accepted = [];
  for (let i = 0; i < 4; i++) accepted.push((await server.accept())?.remoteAddr?.port);
  assertEquals(accepted, clients.map((c) => c.localAddr.port));
  for (const client of clients) await client.close();
});
