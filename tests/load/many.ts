/**
 * Many connections at once and many messages over them, with pipes beside raw Deno in the same run:
 * every message is checked, and what the server holds before, during and after.
 *
 *     deno run -A tests/load/many.ts [--connections 10000] [--messages 1000000]
 *
 * @module
 */
import { numbers } from "./arguments.ts";
import type { Latencies } from "./echo_load.ts";
import type { Held } from "./echo_server.ts";
import { Pair, type Stack } from "./processes.ts";

/** How much of it. */
export interface ManyOptions {
  readonly connections: number;
  readonly messages: number;
}

/** What one server did. */
export interface ManyResult {
  readonly stack: Stack;
  /** Messages that came back as they were sent, in their order. */
  readonly messages: number;
  /** Messages a second. */
  readonly rate: number;
  /** Microseconds that the server computed for a message. */
  readonly cpu: number;
  /** With one message under way on every connection: a batch of all of them at once. */
  readonly all: Latencies;
  /** With 100 messages under way at a time. */
  readonly some: Latencies;
  /** What the server held with nothing open, after one round of the same and a collection. */
  readonly before: Held;
  /** With all connections open, after the messages. */
  readonly during: Held;
  /** With nothing open again. */
  readonly after: Held;
}

const MB = 2 ** 20;
/** Messages under way at a time when not all connections are used at once. */
const SOME = 100;
/** Of all messages, how many go that way. */
const SOME_SHARE = 0.2;
/** The servers take turns, so that what else the machine does hits both. */
const TURNS = 4;
/** How much more than at the start may be held in the end. */
export const SLACK = 1.1;

class Run {
  readonly pair: Pair;
  messages = 0;
  elapsed = 0;
  cpu = 0;
  readonly all: Latencies[] = [];
  readonly some: Latencies[] = [];

  constructor(pair: Pair) {
    this.pair = pair;
  }

  async turn(messages: number, width: number, latencies: Latencies[]): Promise<void> {
    const before = await this.pair.cpu();
    const done = await this.pair.echo(messages, width);
    this.cpu += await this.pair.cpu() - before;
    this.messages += messages;
    this.elapsed += done.elapsed;
    if (done.latencies !== undefined) latencies.push(done.latencies);
  }

  /** Everything once and briefly, so that what is made once is there: code, buffers, pages. */
  async warmUp({ connections }: ManyOptions): Promise<Held> {
    await this.pair.open(connections);
    await this.pair.echo(2 * connections, connections);
    await this.pair.close();
    await this.pair.heldWhen(({ clients }) => clients === 0);
    // A collection frees what the one before has found.
    return await this.pair.held();
  }

  async finish(before: Held): Promise<ManyResult> {
    const during = await this.pair.held();
    await this.pair.close();
    const after = await this.pair.heldWhen(({ clients, rss, heap }) =>
      clients === 0 && rss <= before.rss * SLACK && heap <= before.heap * SLACK
    );
    return {
      stack: this.pair.stack,
      messages: this.messages,
      rate: this.messages / this.elapsed * 1000,
      cpu: this.cpu / this.messages * 1000,
      all: worst(this.all),
      some: worst(this.some),
      before,
      during,
      after,
    };
  }
}

/** Of the same figure in several turns the middle one, but of the greatest the greatest. */
function worst(turns: readonly Latencies[]): Latencies {
  const middle = (of: (turn: Latencies) => number) =>
    turns.map(of).sort((a, b) => a - b)[Math.floor(turns.length / 2)] ?? NaN;
  return {
    p50: middle(({ p50 }) => p50),
    p99: middle(({ p99 }) => p99),
    p999: middle(({ p999 }) => p999),
    max: Math.max(...turns.map(({ max }) => max)),
  };
}

/**
 * Runs it.
 *
 * @throws {Error} When a message was lost, changed or came out of its order.
 */
export async function many(options: ManyOptions): Promise<ManyResult[]> {
  const { connections, messages } = options;
  await using raw = await Pair.start("raw", connections);
  await using pipes = await Pair.start("pipes", connections);
  const runs = [new Run(raw), new Run(pipes)];
  const before: Held[] = [];
  for (const run of runs) before.push(await run.warmUp(options));
  for (const run of runs) await run.pair.open(connections);
  const some = Math.round(messages * SOME_SHARE / TURNS);
  for (let turn = 0; turn < TURNS; turn++) {
    const order = turn % 2 === 0 ? runs : runs.toReversed();
    for (const run of order) {
      await run.turn(Math.round(messages / TURNS) - some, connections, run.all);
      await run.turn(some, SOME, run.some);
    }
  }
  const results: ManyResult[] = [];
  for (const [i, start] of before.entries()) {
    const run = runs[i];
    if (run !== undefined) results.push(await run.finish(start));
  }
  return results;
}

/** The figures as a table in Markdown. */
export function manyTable({ connections }: ManyOptions, results: readonly ManyResult[]): string {
  const latency = ({ p50, p99, p999 }: Latencies) =>
    [p50, p99, p999].map((ms) => ms.toPrecision(3)).join(" / ");
  const memory = (of: (held: Held) => number) => (result: ManyResult) =>
    [result.before, result.during, result.after].map((held) => (of(held) / MB).toFixed(0))
      .join(" → ");
  const rows: [string, (result: ManyResult) => string][] = [
    ["messages, all right", ({ messages }) => messages.toLocaleString("en-US")],
    ["messages/s", ({ rate }) => Math.round(rate).toLocaleString("en-US")],
    ["the server's CPU, µs a message", ({ cpu }) => cpu.toFixed(1)],
    [`ms p50 / p99 / p99.9, ${connections} under way`, ({ all }) => latency(all)],
    [`ms p50 / p99 / p99.9, ${SOME} under way`, ({ some }) => latency(some)],
    ["RSS in MiB: before → open → after", memory(({ rss }) => rss)],
    ["heap in MiB: before → open → after", memory(({ heap }) => heap)],
  ];
  return [
    ["", ...results.map(({ stack }) => stack)],
    ["---", ...results.map(() => "---")],
    ...rows.map(([name, cell]) => [name, ...results.map(cell)]),
  ].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

if (import.meta.main) {
  const options = numbers(Deno.args, { connections: 10_000, messages: 1_000_000 });
  const results = await many(options);
  console.log(manyTable(options, results));
  for (const { stack, before, after } of results) {
    if (stack !== "pipes") continue;
    const kept = after.rss > before.rss * SLACK || after.heap > before.heap * SLACK;
    if (kept || after.clients > 0) {
      console.error("The server did not get back to where it began.");
      Deno.exit(1);
    }
  }
}
