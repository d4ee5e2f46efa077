/**
 * What a message costs the server with more and more connections open, with pipes beside raw Deno: 10
 * of them are under way at a time, over all connections in turn.
 *
 *     deno run -A tests/load/cost.ts [--connections 10000] [--messages 50000]
 *
 * @module
 */
import { numbers } from "./arguments.ts";
import { Pair, type Stack } from "./processes.ts";

/** Connections to begin with, and messages under way at a time. */
const FEW = 10;

/** How far, and how many messages each time. */
export interface CostOptions {
  readonly connections: number;
  readonly messages: number;
}

/** The microseconds that each server computed for a message. */
export interface Cost extends Readonly<Record<Stack, number>> {
  readonly connections: number;
}

/** Measures with 10 connections, 100 and so on. */
export async function costs({ connections, messages }: CostOptions): Promise<Cost[]> {
  await using raw = await Pair.start("raw", connections);
  await using pipes = await Pair.start("pipes", connections);
  const measure = async (pair: Pair, count: number, more: number) => {
    await pair.open(more);
    // Once for the compiler, and so that no connection is measured with its first message.
    await pair.echo(Math.max(count, messages / 5), FEW);
    const before = await pair.cpu();
    await pair.echo(messages, FEW);
    return (await pair.cpu() - before) / messages * 1000;
  };
  const all: Cost[] = [];
  for (let count = FEW, before = 0; count <= connections; before = count, count *= 10) {
    all.push({
      connections: count,
      raw: await measure(raw, count, count - before),
      pipes: await measure(pipes, count, count - before),
    });
  }
  return all;
}

/** The figures as a table in Markdown. */
export function costTable(all: readonly Cost[]): string {
  const row = (...cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    row("connections", "raw, µs of CPU a message", "pipes", "ratio"),
    row("---", "---", "---", "---"),
    ...all.map(({ connections, raw, pipes }) =>
      row(
        connections.toLocaleString("en-US"),
        ...[raw, pipes].map((us) => us.toFixed(1)),
        (raw / pipes).toFixed(2),
      )
    ),
  ].join("\n");
}

if (import.meta.main) {
  console.log(
    costTable(await costs(numbers(Deno.args, { connections: 10_000, messages: 50_000 }))),
  );
}
