/** request: a time limit that is over at once, and pipes that are closed already. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  lines,
  type NetConf,
  type Pipe,
  PipeClosedError,
  pipeOpen,
  PipeTimeoutError,
  type Proto,
  RUDP,
  type ServerPipe,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { text } from "../../helpers/pipes.ts";

const route = "127.0.0.1:0";

/** A server that answers everything, and a client of it. */
async function pair(proto: Proto, conf: Partial<NetConf> = {}): Promise<[Pipe, ServerPipe | Pipe]> {
  const framing = proto === TCP ? lines() : null;
  const server = await pipeOpen(proto, {
    route,
    conf: { framing },
    msgCb: (msg, from, pipe) => pipe.send(`re ${text(msg)}`, from),
  });
  const client = await pipeOpen(proto, { dest: server.localAddr, conf: { framing, ...conf } });
  return [client, server];
}

/** How a promise ends, if that is soon. */
async function soon(promise: Promise<unknown>): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const never = new Promise((resolve) => timer = setTimeout(() => resolve("never"), 1000));
  const end = await Promise.race([promise.catch((error) => error), never]);
  clearTimeout(timer);
  return end;
}

function assertTimeout(end: unknown): void {
  assert(end instanceof PipeTimeoutError, String(end));
}

for (const proto of [TCP, UDP, RUDP]) {
  Deno.test(`request over ${proto}: no time at all is a time-out at once, and nothing is sent`, async () => {
    const [client, server] = await pair(proto);
    await using _ = client, __ = server;
    const end = await soon(client.request("x", { timeout: 0 }));
    assertTimeout(end);
    assertEquals(String(end).includes("(not sent)"), true, String(end));
    for (const timeout of [1e-9, 0.1, 0.5, 0.501, 0.6, 1]) {
      // Where there is a little time it may be answered in it.
      const end = await soon(client.request("y", { timeout, match: "never" }));
      assertTimeout(end);
    }
    // The slots are free: nothing has to wait until those before it count as lost.
    const many = Array.from({ length: 2000 }, () => client.request("x", { timeout: 0 }));
    const next = client.request("next", { match: "re next" });
    for (const asked of many) assertTimeout(await soon(asked));
    assertEquals(text((await next)[0]), "re next");
  });

  Deno.test(`request over ${proto}: conf.recvTimeout 0 is no time at all, too`, async () => {
    const [client, server] = await pair(proto, { recvTimeout: 0 });
    await using _ = client, __ = server;
    assertTimeout(await soon(client.request("x")));
    assertEquals(client.stats.messagesOut, 0);
    assertEquals(text((await client.request("y", { timeout: 5000 }))[0]), "re y");
  });

  for (const how of ["closed", "aborted"] as const) {
    Deno.test(`request over ${proto}: on a pipe already ${how} it says so, whatever the time`, async () => {
      const [client, server] = await pair(proto);
      await using _ = server;
      if (how === "closed") await client.close();
      else client.abort(new Error("enough"));
      for (const timeout of [0, 0.3, 1, 5000, Infinity]) {
        const end = await soon(client.request("x", { timeout }));
        assert(end instanceof PipeClosedError, `${timeout} ms: ${end}`);
        assertEquals(end.message.startsWith("Cannot request: the pipe is closed"), true);
      }
    });
  }
}

Deno.test("request: no time at all for a look-up either, and a wrong dest is still named", async () => {
  await using pipe = await pipeOpen(UDP, {
    route,
    conf: { lookup: () => Promise.reject(new Error("late")) },
  });
  assertTimeout(await soon(pipe.request("x", { timeout: 0, dest: "a.example:9" })));
  // @ts-expect-error no dest
  await assertRejects(() => pipe.request("x", { timeout: 0, dest: 7 }), TypeError, "dest");
});

Deno.test("request: an abort by the dest itself is not missed", async () => {
  await using pipe = await pipeOpen(UDP, { route });
  const controller = new AbortController();
  const dest = {
    get hostname() {
      controller.abort("enough");
      return "127.0.0.1";
    },
    port: 9,
  };
  const { signal } = controller;
  assertEquals(await soon(pipe.request("x", { dest, signal, timeout: 60_000 })), "enough");
  assertEquals(pipe.stats.messagesOut, 0);
});
