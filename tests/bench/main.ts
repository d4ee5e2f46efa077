/**
 * How fast pipes are, as ratios to loops written by hand with Deno's own API.
 *
 *     deno task bench [--rounds N] [--seconds S] [--only tcp|udp|relay]
 *
 * Each server is a process of its own, so that none slows another down by what it taught the compiler;
 * one load generator, raw Deno too, drives them one at a time.
 *
 * @module
 */
import { type Options, parseArguments, USAGE } from "./args.ts";
import { Child } from "./child.ts";
import { type Measurement, MEASUREMENTS, type Stack, STACKS } from "./plan.ts";
import type { Job, Ready, Result } from "./protocol.ts";
import { table } from "./table.ts";

/** How long a child may take to start or for a turn. Milliseconds. */
const PATIENCE = 15_000;
/** Measured and forgotten before the first round, for the compiler to do its work. Seconds. */
const WARM_UP = 0.4;
/**
 * Servers take turns of about so long, so that what else the machine does meanwhile hits all of them.
 * Seconds.
 */
const TURN = 0.2;

const NOTE = `Each figure is the median of all rounds, a ratio that of the rounds' ratios.
On a machine shared with others the figures of one run are only good as ratios: compare no
msgs/s or MB/s with those of another run, and no ratio finer than its range over the rounds.`;

/** A server that runs. */
interface Server {
  readonly stack: Stack;
  readonly port: number;
}

/** A measurement and what each server achieved in it, round by round. */
interface Series {
  readonly measurement: Measurement;
  readonly rows: { readonly server: Server; readonly rates: number[]; resent: number }[];
}

async function startAll(kinds: Options["kinds"], children: Child[]): Promise<[Child, Series[]]> {
  const start = async (script: string, ...args: string[]): Promise<[Child, number]> => {
    const child = new Child(script, ...args);
    children.push(child);
    return [child, (await child.hear<Ready>(PATIENCE)).port];
  };
  const [load, sink] = await start("load.ts");
  const all: Series[] = [];
  for (const kind of kinds) {
    const servers: Server[] = [];
    for (const stack of STACKS[kind]) {
      const [, port] = await start(stack.script, stack.style, kind, String(sink));
      servers.push({ stack, port });
    }
    for (const measurement of MEASUREMENTS.filter((m) => m.kind === kind)) {
      all.push({ measurement, rows: servers.map((server) => ({ server, rates: [], resent: 0 })) });
    }
  }
  return [load, all];
}

/** Measures all servers of a series, in turns of a part of a second. */
async function measure(load: Child, { measurement, rows }: Series, seconds: number): Promise<void> {
  const turns = Math.ceil(seconds / TURN);
  const sums = rows.map(() => 0);
  for (let turn = 0; turn < turns; turn++) {
    for (let i = 0; i < rows.length; i++) {
      // Somebody else begins each time, so that nobody always comes after the same one.
      const at = (i + turn) % rows.length;
      const row = rows[at];
      if (row === undefined) continue;
      const { kind, width } = measurement;
      const job: Job = { kind, width, port: row.server.port, seconds: seconds / turns };
      await load.tell(job);
      const { rate, resent } = await load.hear<Result>(PATIENCE);
      sums[at] = (sums[at] ?? 0) + rate;
      row.resent += resent;
    }
  }
  rows.forEach((row, i) => row.rates.push((sums[i] ?? NaN) / turns));
}

async function run({ rounds, seconds, kinds }: Options): Promise<void> {
  const children: Child[] = [];
  try {
    const [load, all] = await startAll(kinds, children);
    const each = all.reduce((sum, { rows }) => sum + rows.length, 0);
    const total = Math.ceil(each * (rounds * seconds + WARM_UP));
    console.log(
      `Deno ${Deno.version.deno}, ${Deno.build.os} ${Deno.build.arch}, ` +
        `${navigator.hardwareConcurrency} processors; about ${total} seconds\n`,
    );
    for (const series of all) {
      await measure(load, series, WARM_UP);
      for (const row of series.rows) row.rates.length = 0;
    }
    for (let round = 0; round < rounds; round++) {
      for (const series of all) await measure(load, series, seconds);
    }
    for (const { measurement, rows } of all) {
      console.log(table(measurement, rows.map((row) => ({ ...row, stack: row.server.stack }))));
    }
    console.log(NOTE);
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}

function readOptions(): Options {
  try {
    return parseArguments(Deno.args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error(USAGE);
    Deno.exit(2);
  }
}

await run(readOptions());
