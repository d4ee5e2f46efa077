import { type Pipe, pipeOpen, TCP, UDP } from "@p2pd/pipes";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async";
import { PipeClosedError, PipeOpenError, PipeStateError } from "../../../lib/errors.ts";
import { Daemon } from "../../../lib/netif/daemon.ts";
import { freePort, latch, recvAll, recvText, text, until } from "../../helpers/pipes.ts";
import { card, echo } from "./daemons.ts";

Deno.test("a closed daemon listens no more, and one that is closed meanwhile neither", async () => {
  const daemon = new Daemon();
  const port = freePort();
  await daemon.listenAll(TCP, port, card("127.77.0.1/8"));
  const late = daemon.listenAll(TCP, port, card("127.77.0.2/8", "127.77.0.3/8"));
  const closing = daemon.close();
  await assertRejects(() => late, PipeStateError, "Cannot listen: the daemon is closed");
  await closing;
  await daemon.closed;
  const calls = [
    () => daemon.addListener(TCP, "127.77.0.1:0"),
    () => daemon.listenAll(TCP, 0),
    () => daemon.listenLoopback(UDP, 0),
    () => daemon.listenLocal(UDP, 0, card("10.0.0.1/8")),
  ];
  for (const call of calls) await assertRejects(call, PipeStateError, "the daemon is closed");
  await daemon.close(); // as often as you like
  for (const hostname of ["127.77.0.1", "127.77.0.2", "127.77.0.3"]) {
    await using _ = await pipeOpen(TCP, { route: [hostname, port] });
  }
});

Deno.test("close() at whatever moment of an opening leaves nothing open", async () => {
  let refused = 0;
  for (let turns = 0; turns < 40; turns++) {
    const daemon = new Daemon();
    const listening = daemon.listenLoopback([TCP, UDP], freePort()).catch((error) => {
      assert(error instanceof PipeStateError, `${error}`);
      refused++;
    });
    for (let i = 0; i < turns; i++) await Promise.resolve();
    await daemon.close();
    assertEquals(daemon.pipes.size, 0);
    const { pipes = [] } = await listening ?? {};
    for (const { proto, localAddr } of pipes) {
      await using _ = await pipeOpen(proto, { route: localAddr });
    }
  }
  assert(refused > 0);
});

Deno.test("close() stops accepting at once, handles what has come, then ends the connections", async () => {
  const begun = latch(), finish = latch();
  const handled: string[] = [];
  const daemon = new Daemon({
    msgCb: async (msg, _from, pipe) => {
      begun.open();
      if (handled.length === 0) await finish.done;
      handled.push(text(msg) ?? "");
      await pipe.send(`stored ${text(msg)}, `);
    },
  });
  const server = await daemon.addListener(TCP, ["127.0.0.1", freePort()]);
  await using busy = await pipeOpen(TCP, { dest: server.localAddr });
  await using idle = await pipeOpen(TCP, { dest: server.localAddr });
  await busy.send("one");
  await begun.done;
  await busy.send("two"); // waits behind the first
  await until(() => server.stats.queued === 1, "the second message");
  const closing = daemon.close({ grace: Infinity });
  assertEquals(await idle.recv(), null, "who has nothing to say need not wait for the others");
  await assertRejects(() => pipeOpen(TCP, { dest: server.localAddr }), PipeOpenError, "refused");
  await using next = await pipeOpen(TCP, { route: ["127.0.0.1", server.localAddr.port] });
  assertEquals(next.localAddr.port, server.localAddr.port, "whoever comes next can have the port");
  finish.open();
  assertEquals(await recvText(busy, 24), "stored one, stored two, ");
  await busy.send("three"); // still under way when it was closed
  assertEquals(await recvAll(busy), "stored three, ");
  await closing;
  assertEquals(handled, ["one", "two", "three"]);
});

Deno.test("close() waits for handlers of datagrams and of ends", async () => {
  const begun = latch(), finish = latch();
  const done: string[] = [];
  const daemon = new Daemon({
    msgCb: async (msg, from, pipe) => {
      begun.open();
      await finish.done;
      await pipe.send(msg, from);
      done.push("message");
    },
    endCb: async () => {
      await delay(30);
      done.push("end");
    },
  });
  const server = await daemon.addListener(UDP, "127.0.0.1:0");
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  await client.send("a");
  await begun.done;
  const closing = daemon.close();
  await client.send("b"); // still heard
  await until(() => server.stats.messagesIn === 2, "the second message");
  finish.open();
  assertEquals([text(await client.recv()), text(await client.recv())], ["a", "b"]);
  await closing;
  assertEquals(done, ["message", "message", "end"]);
});

Deno.test("close() aborts what is left after the grace time", async () => {
  const begun = latch(), never = latch();
  const daemon = new Daemon({
    msgCb: () => {
      begun.open();
      return never.done;
    },
    conf: { onError: () => {} },
  });
  const server = await daemon.addListener(TCP, "127.0.0.1:0");
  const up = latch<Pipe>();
  daemon.addUpCb((_, _from, pipe) => up.open(pipe));
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  await client.send("a");
  await begun.done;
  const start = performance.now();
  await daemon.close({ grace: 200 });
  assert(performance.now() - start >= 190, "not before");
  const { by, error } = await (await up.done).closed;
  assertEquals([by, String(error)], [
    ...["local", "PipeTimeoutError: The grace time of the daemon is over"],
  ]);
  never.open();
});

Deno.test("close() again shortens the grace time, and never lengthens it", async () => {
  const begun = latch(), never = latch();
  const daemon = new Daemon({
    msgCb: () => {
      begun.open();
      return never.done;
    },
  });
  const server = await daemon.addListener(UDP, "127.0.0.1:0");
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  await client.send("a");
  await begun.done;
  const patient = daemon.close({ grace: Infinity });
  await delay(30);
  const hasty = daemon.close({ grace: 50 });
  const later = daemon.close({ grace: Infinity });
  const again = daemon.close();
  await Promise.all([patient, hasty, later, again, daemon.closed]);
  never.open();
});

Deno.test("close() again at once shortens the grace time, too", async () => {
  const begun = latch(), never = latch();
  const daemon = new Daemon({
    msgCb: () => {
      begun.open();
      return never.done;
    },
  });
  const server = await daemon.addListener(UDP, "127.0.0.1:0");
  await using client = await pipeOpen(UDP, { dest: server.localAddr });
  await client.send("a");
  await begun.done;
  await Promise.all([daemon.close({ grace: Infinity }), daemon.close({ grace: 0 })]);
  never.open();
});

Deno.test("a connection goes on as long as messages come", async () => {
  const daemon = new Daemon({ msgCb: echo });
  const server = await daemon.addListener(TCP, "127.0.0.1:0");
  await using client = await pipeOpen(TCP, { dest: server.localAddr });
  await client.request("first");
  const closing = daemon.close({ grace: Infinity });
  for (let i = 0; i < 30; i++) {
    await delay(10);
    assertEquals(text((await client.request(`${i}`))[0]), `${i}`);
  }
  await closing;
  assertEquals(await client.recv(), null);
});

Deno.test("a peer that never pauses is cut between two messages, and gets every answer", async () => {
  const errors: unknown[] = [];
  const stored: number[] = [], answered: number[] = [], got: number[] = [];
  const daemon = new Daemon({
    msgCb: async (msg, from, pipe) => {
      const id = Number(text(msg));
      await delay(1);
      stored.push(id);
      await pipe.send(`${id}`, from);
      answered.push(id);
    },
    conf: { onError: (error) => void errors.push(error) },
  });
  const server = await daemon.addListener(UDP, "127.0.0.1:0");
  await using client = await pipeOpen(UDP, {
    dest: server.localAddr,
    msgCb: (msg) => void got.push(Number(text(msg))),
  });
  let closed = false;
  const talking = (async () => {
    for (let id = 0; !closed; id++) {
      await client.send(`${id}`);
      await delay(1);
    }
  })();
  await until(() => got.length >= 20, "20 answers");
  await daemon.close({ grace: 600 });
  closed = true;
  await talking;
  await until(() => got.length >= answered.length, "the last answer");
  assertEquals([stored, got], [answered, answered]);
  assertEquals(errors, []);
});

Deno.test("a close under load loses nothing that was acknowledged", async () => {
  const CLIENTS = 24, BEFORE = 40;
  const errors: unknown[] = [];
  const stored = new Set<string>(), answered = new Set<string>(), acknowledged = new Set<string>();
  const rests = new WeakMap<Pipe, string>();
  const ends: Promise<unknown>[] = [];
  const daemon = new Daemon({
    upCb: (_, _from, pipe) => void ends.push(pipe.closed),
    msgCb: async (msg, _from, pipe) => {
      // A line is a message, and may come in pieces.
      const lines = `${rests.get(pipe) ?? ""}${text(msg)}`.split("\n");
      rests.set(pipe, lines.pop() ?? "");
      for (const line of lines) {
        await delay(Math.random() * 3); // to be stored takes a while
        stored.add(line);
        await pipe.send(`${line}\n`);
        answered.add(line);
      }
    },
    conf: { onError: (error) => void errors.push(error) },
  });
  const { pipes } = await daemon.listenLoopback(TCP, 0);
  const enough = latch();
  const clients = Array.from({ length: CLIENTS }, async (_, i) => {
    const server = pipes[i % pipes.length];
    await using pipe = await pipeOpen(TCP, { dest: server?.localAddr ?? "none" });
    const window = i % 3 === 0 ? 1 : i % 3 === 1 ? 8 : Infinity; // unanswered lines at a time
    let sent = 0, got = 0, rest = "", wake = latch();
    const writing = (async () => {
      try {
        for (;;) {
          while (sent - got >= window) await wake.done;
          await pipe.send(`${i}:${sent++}\n`);
          if (window === Infinity) await delay(1);
        }
      } catch (error) {
        assert(error instanceof PipeClosedError || error instanceof PipeStateError, `${error}`);
      }
    })();
    for await (const [msg] of pipe) {
      const lines = `${rest}${text(msg)}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) acknowledged.add(line);
      got += lines.length;
      if (got >= BEFORE && i === 0) enough.open();
      wake.open();
      wake = latch();
    }
    assertEquals(rest, "");
    await pipe.close();
    got = Infinity;
    wake.open();
    await writing;
  });
  await enough.done;
  const before = acknowledged.size;
  await daemon.close({ grace: 3000 });
  await Promise.all(clients);
  assertEquals(errors, [], "no handler was cut off");
  assertEquals(acknowledged, answered, "every answer that was sent has arrived");
  assertEquals(answered, stored, "what was stored was acknowledged, and the other way round");
  assert(acknowledged.size > before, "it was under load");
  for (const end of await Promise.all(ends)) assertEquals(end, { by: "local" });
});

Deno.test("close() waits for a link or a loop that an up handler waits for", async () => {
  let begun = latch();
  await using backend = await pipeOpen(TCP, {
    route: "127.0.0.1:0",
    msgCb: async (msg, _from, pipe) => {
      begun.open();
      await delay(300); // longer than a connection may be quiet
      await pipe.send(msg);
    },
  });
  const links = async (client: Pipe) => {
    const target = await pipeOpen(TCP, { dest: backend.localAddr });
    client.addPipe(target);
    target.addPipe(client);
    return target.closed;
  };
  const loops = async (client: Pipe) => {
    for await (const [msg] of client) {
      begun.open();
      await delay(300);
      await client.send(msg);
    }
    await client.close();
  };
  for (const serve of [links, loops]) {
    begun = latch();
    await using daemon = new Daemon({ upCb: (_msg, _from, pipe) => serve(pipe) });
    const { localAddr } = await daemon.addListener(TCP, "127.0.0.1:0");
    await using client = await pipeOpen(TCP, { dest: localAddr });
    await client.send("late");
    await begun.done;
    const closing = daemon.close();
    assertEquals(text(await client.recv()), "late");
    await client.close();
    await closing;
  }
});
