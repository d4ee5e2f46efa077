import { assertEquals, assertRejects } from "@std/assert";
import { PipeClosedError, pipeOpen, TCP } from "@p2pd/pipes";
import { until } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";

Deno.test("server: accept gives null as soon as it closes, and no connection that ends with it", async () => {
  const server = await pipeOpen(TCP, { route });
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  await until(() => server.clients.size === 1, "the connection");
  const closing = server.close();
  assertEquals(await server.accept(), null);
  for await (const _ of server.connections()) throw new Error("there is none");
  await closing;
  assertEquals(await server.accept(), null);
  assertEquals(await client.recv(), null);
});

Deno.test("server: abort keeps its reason, also where an end handler closes the server", async () => {
  const server = await pipeOpen(TCP, { route, endCb: () => void server.close() });
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  await until(() => server.clients.size === 1, "the connection");
  const reason = new Error("enough");
  server.abort(reason);
  const error = await assertRejects(() => server.accept(), PipeClosedError);
  assertEquals(error.cause, reason);
  assertEquals(await server.closed, { by: "local", error: reason });
  assertEquals(await client.recv(), null);
});

Deno.test("server: end handlers come after all up handlers, also where one of these ends the pipe", async () => {
  for (const how of ["close", "abort"] as const) {
    const log: string[] = [];
    await using server = await pipeOpen(TCP, {
      route,
      upCb: (_m, _f, pipe) => {
        log.push("turned away");
        void pipe[how]();
      },
      endCb: () => void log.push("end"),
    });
    server.addUpCb(() => void log.push("up"));
    await using client = await pipeOpen(TCP, { dest: server.localAddr });
    assertEquals(await client.recv(), null);
    await until(() => server.clients.size === 0, "the end");
    assertEquals(log, ["turned away", "up", "end"]);
  }
});
