/** What a TCP server lives through: a full file table, floods, port scans, more clients than it takes. */
import { assert, assertEquals } from "@std/assert";
import { pipeOpen, type PipeStats, TCP } from "@p2pd/pipes";
import { connect as nodeConnect, type Socket } from "node:net";
import { text } from "../helpers/pipes.ts";
import { Child, type ChildOptions } from "../integration/_child.ts";

const canRun = Deno.permissions.querySync({ name: "run" }).state === "granted";
const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, ignore: !canRun || Deno.build.os !== "linux", fn });

const hostname = "127.0.0.1";

/** The two ways of TCP: `linger` is what only node:net can do. */
const WAYS = [["Deno's TCP", {}], ["node:net", { linger: 2000 }]] as const;

interface Report extends PipeStats {
  readonly clients: number;
  readonly memory: number;
  readonly errors: number;
  readonly shortages: number;
}

/** An echo server in a process of its own. */
class Victim implements AsyncDisposable {
  readonly child: Child;
  readonly port: number;

  private constructor(child: Child, port: number) {
    this.child = child;
    this.port = port;
  }

  static async start(conf: Record<string, unknown>, options: ChildOptions = {}): Promise<Victim> {
    const args = [TCP, `${hostname}:0`, JSON.stringify(conf)];
    const child = new Child("./_echo_server.ts", { ...options, args });
    return new Victim(child, Number(await child.line()));
  }

  async report(): Promise<Report> {
    const report: Report = JSON.parse(await this.child.ask());
    assertEquals(report.errors, 0);
    return report;
  }

  /** The first report that is as wanted. */
  async until(wanted: (report: Report) => boolean, what: string): Promise<Report> {
    const limit = performance.now() + 20_000;
    for (;;) {
      const report = await this.report();
      if (wanted(report)) return report;
      if (performance.now() > limit) throw new Error(`never: ${what}; ${JSON.stringify(report)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Waits until it has no more files open than before. */
  async untilFiles(before: number): Promise<void> {
    const limit = performance.now() + 20_000;
    for (let now; (now = await this.child.openFiles()) > before;) {
      if (performance.now() > limit) throw new Error(`${now} files are open, ${before} before`);
    }
  }

  /** Whether it still does its work. */
  async assertEchoes(): Promise<void> {
    await using client = await pipeOpen(TCP, { dest: [hostname, this.port] });
    await client.send("still there?");
    assertEquals(text(await client.recv(undefined, { timeout: 10_000 })), "still there?");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child[Symbol.asyncDispose]();
  }
}

/** Does something many times, some at a time. */
async function many(count: number, atOnce: number, work: (i: number) => Promise<void>) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

for (const flags of [[], ["--unstable-net"]]) {
  test(`accept: a full file table is waited out and counted ${flags.join("")}`, async () => {
    await using victim = await Victim.start({}, { flags, files: 64 });
    await victim.assertEchoes();
    const before = await victim.child.openFiles();
    const conns: Deno.TcpConn[] = [];
    // The system accepts them all; the server has files for a part of them.
    for (let i = 0; i < 100; i++) conns.push(await Deno.connect({ hostname, port: victim.port }));
    const full = await victim.until((report) => report.acceptErrors >= 3, "a full file table");
    assert(full.clients > 10 && full.clients < 64, `${full.clients} clients`);
    // It waits between its tries, instead of burning the processor.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const tries = (await victim.report()).acceptErrors - full.acceptErrors;
    assert(tries < 20, `${tries} tries in 300 ms`);
    // Those who are in are served, and every one that leaves makes room for one who waits.
    for (const conn of conns) {
      await conn.write(new Uint8Array([1]));
      const buffer = new Uint8Array(2);
      assertEquals([await conn.read(buffer), buffer[0]], [1, 1]);
      conn.close();
    }
    await victim.assertEchoes();
    const after = await victim.until((report) => report.clients === 0, "an empty server");
    assertEquals(after.messagesIn, 102);
    // It was told, but not once for each try.
    assert(after.shortages >= 1 && after.shortages <= 60, `told ${after.shortages} times`);
    await victim.untilFiles(before);
  });
}

for (const [name, conf] of WAYS) {
  test(`accept: 10,000 connections opened and dropped leave nothing behind, ${name}`, async () => {
    await using victim = await Victim.start(conf, { flags: ["--v8-flags=--expose-gc"] });
    const flood = (count: number) =>
      many(count, 50, async () => (await Deno.connect({ hostname, port: victim.port })).close());
    await flood(1000); // what a server at work has
    await victim.assertEchoes();
    const before = await victim.until((report) => report.clients === 0, "an empty server");
    const files = await victim.child.openFiles();
    await flood(10_000);
    await victim.assertEchoes();
    const after = await victim.until((report) => report.clients === 0, "an empty server");
    assertEquals([after.messagesIn, after.refused, after.acceptErrors], [2, 0, 0]);
    await victim.untilFiles(files);
    // What the last of them had is collected a little later.
    const left = (report: Report) => (report.memory - before.memory) / 10_000;
    await victim.until((report) => left(report) < 200, "all of their memory back");
  });
}

/** A connection that can be reset. */
async function dial(port: number): Promise<Socket> {
  const socket = nodeConnect(port, hostname);
  socket.on("error", () => {}); // it is what we came for
  await new Promise<void>((resolve) => {
    socket.once("connect", resolve);
    socket.once("close", () => resolve());
  });
  return socket;
}

const gone = (socket: Socket, how: () => void) =>
  new Promise<void>((resolve) => {
    if (socket.closed) return resolve();
    socket.once("close", () => resolve());
    how();
  });

for (const [name, conf] of WAYS) {
  test(`accept: a port scan of 2,000 connections, ${name}`, async () => {
    await using victim = await Victim.start(conf);
    await victim.assertEchoes();
    const files = await victim.child.openFiles();
    const silent: Deno.TcpConn[] = [];
    const garbage = crypto.getRandomValues(new Uint8Array(3000));
    await many(2000, 40, async (i) => {
      if (i % 4 === 0) {
        silent.push(await Deno.connect({ hostname, port: victim.port }));
        return;
      }
      const socket = await dial(victim.port);
      if (i % 4 === 1) await gone(socket, () => socket.resetAndDestroy());
      else if (i % 4 === 2) {
        await gone(socket, () => socket.write(garbage, () => socket.resetAndDestroy()));
      } else await gone(socket, () => socket.resume().end(garbage.subarray(0, 10)));
    });
    // 500 that say nothing keep nobody else from being served.
    await victim.assertEchoes();
    await victim.until((report) => report.clients === silent.length, "only the silent ones");
    for (const conn of silent) conn.close();
    const after = await victim.until((report) => report.clients === 0, "an empty server");
    assertEquals([after.refused, after.acceptErrors, after.queued], [0, 0, 0]);
    await victim.assertEchoes();
    await victim.until((report) => report.clients === 0, "an empty server");
    await victim.untilFiles(files);
  });

  test(`accept: more than maxClients at once are refused and counted, ${name}`, async () => {
    await using victim = await Victim.start({ ...conf, maxClients: 10 });
    const conns = await Promise.all(Array.from({ length: 200 }, async () => {
      try {
        return await Deno.connect({ hostname, port: victim.port });
      } catch {
        return undefined; // reset before this side has seen that it was connected
      }
    }));
    const full = await victim.until((report) => report.clients + report.refused === 200, "all");
    assertEquals([full.clients, full.refused], [10, 190]);
    const buffer = new Uint8Array(2);
    const answers = await Promise.all(conns.map(async (conn) => {
      if (conn === undefined) return false;
      try {
        await conn.write(new Uint8Array([7]));
        return await conn.read(buffer) === 1;
      } catch {
        return false; // a reset
      } finally {
        conn.close();
      }
    }));
    assertEquals(answers.filter(Boolean).length, 10);
    await victim.until((report) => report.clients === 0, "an empty server");
    await victim.assertEchoes();
    assertEquals((await victim.report()).refused, 190);
  });
}
