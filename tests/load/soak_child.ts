/**
 * Mixed traffic at full speed, both sides of it in this process. Takes orders, one a line: "pause" lets
 * what is under way come to its end and answers with a {@linkcode Sample}; "go" goes on; the end of the
 * input ends everything, after which nothing may keep the process alive. Anything that is not as it
 * should be ends it at once.
 *
 * @module
 */
import { SLACK } from "../../lib/pipe/long_waits.ts";
import { pendingTimers } from "./timers.ts";
import { linesOf } from "../bench/protocol.ts";
import { converse, subscribe } from "./soak_datagrams.ts";
import { fan, relink } from "./soak_links.ts";
import { Steady } from "./soak_steady.ts";
import { beReset, leave, serve, stream, talk, wait } from "./soak_streams.ts";
import { type Traffic, World } from "./soak_world.ts";

/** What the process holds while nothing is under way. */
export interface Sample {
  /** Resident memory in bytes. */
  readonly rss: number;
  /** The bytes in use after a garbage collection. */
  readonly heap: number;
  /** Entries of Deno's table of resources. */
  readonly resources: number;
  /** Timers that are set. */
  readonly timers: number;
  /** Pipes that are in memory. */
  readonly pipes: number;
  /** What was done so far. */
  readonly counts: Readonly<Record<string, number>>;
}

/** The kinds of traffic, and how many of each are under way at a time. */
const KINDS: readonly [Traffic, copies: number][] = [
  [talk, 8],
  ...[stream, leave, beReset, wait, serve].map((kind): [Traffic, number] => [kind, 2]),
  ...[relink, fan, converse, subscribe].map((kind): [Traffic, number] => [kind, 2]),
];
/** What is under way has to end within this. Milliseconds. */
const PATIENCE = 15_000;

const world = await World.start();
const steady = await Steady.open(world);
/** What is under way. */
const active: string[] = [];
let going = true, over = false;
let go: () => void = () => {};
let gate = Promise.resolve();

async function work(traffic: Traffic): Promise<void> {
  for (;;) {
    await gate;
    if (over) return;
    active.push(traffic.name);
    await traffic(world);
    active.splice(active.indexOf(traffic.name), 1);
  }
}

function pause(): void {
  if (!going) return;
  going = false;
  const { promise, resolve } = Promise.withResolvers<void>();
  gate = promise;
  go = resolve;
}

async function quiet(): Promise<void> {
  const limit = performance.now() + PATIENCE;
  while (active.length > 0 || world.connections > (over ? 0 : Steady.connections)) {
    if (performance.now() > limit) {
      throw new Error(`never quiet: ${active.join()} under way, ${world.connections} connections`);
    }
    await turn();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

async function sample(): Promise<Sample> {
  // The one timer of all long waits outlives the last of them until it fires.
  await new Promise((resolve) => setTimeout(resolve, 2 * SLACK));
  // A collection frees what the one before has found, and says so a turn later.
  for (let i = 0; i < 4; i++) {
    if (typeof gc === "function") gc();
    await turn();
  }
  const { rss, heapUsed, external } = Deno.memoryUsage();
  return {
    rss,
    heap: heapUsed + external,
    resources: countResources(),
    timers: pendingTimers(),
    pipes: world.pipes,
    counts: world.counts,
  };
}

const gc: unknown = Reflect.get(globalThis, "gc");

/** By Deno's own core, which shows it to nobody else any more. */
function countResources(): number {
  const { core } = Reflect.get(Deno, Reflect.get(Deno, "internal"));
  return Object.keys(core.resources()).length;
}

world.failure.catch(fail);

function fail(error: unknown): never {
  console.error(error);
  Deno.exit(1);
}

const workers = [
  work(steady.traffic),
  ...KINDS.flatMap(([kind, copies]) => Array.from({ length: copies }, () => work(kind))),
];
Promise.all(workers).catch(fail);

for await (const line of linesOf(Deno.stdin.readable)) {
  if (line === "pause") {
    pause();
    await quiet();
    console.log(JSON.stringify(await sample()));
  } else {
    going = true;
    go();
  }
}
over = true;
go();
await Promise.all(workers);
await steady.close();
await quiet();
await world.close();
