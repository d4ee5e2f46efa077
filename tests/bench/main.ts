/**
 * How fast pipes are, side by side with loops written by hand with Deno's own API and with other
 * runtimes, as ratios. `--help` shows the options; RESULTS.md says how it is measured. Linux only.
 *
 *     deno task bench
 *
 * @module
 */
import { type Options, parseArguments, type Settings, USAGE } from "./args.ts";
import { Bench, type Measured, type Row } from "./bench.ts";
import { memory, memoryHead } from "./memory.ts";
import type { Table } from "./plan.ts";
import { findPrograms } from "./programs.ts";
import { machine, table as markdownOf } from "./report.ts";
import { formatted } from "./report_file.ts";
import type { StackId } from "./stacks.ts";
import { imports, startup, STARTUP_HEAD } from "./startup.ts";
import { throughput, throughputHead } from "./throughput.ts";

function headOf(table: Table, { connections }: Settings): readonly string[] {
  switch (table.kind) {
    case "throughput":
      return throughputHead(table);
    case "idle":
      return memoryHead(connections);
    default:
      return STARTUP_HEAD;
  }
}

function rowsOf(bench: Bench, table: Table, stacks: readonly StackId[]): Promise<Row[] | string> {
  switch (table.kind) {
    case "throughput":
      return throughput(bench, table, stacks);
    case "startup":
      return startup(bench, table, stacks);
    case "imports":
      return imports(bench);
    case "idle":
      return memory(bench, stacks);
  }
}

async function measure(bench: Bench, table: Table, wanted: Options["stacks"]): Promise<Measured> {
  const all = table.kind === "imports" ? [] : table.stacks;
  const skipped: string[] = [];
  const stacks = all.filter((id, i) => {
    if (i > 0 && wanted !== undefined && !wanted.has(id)) return false;
    const program = bench.missing(id);
    if (program !== undefined) skipped.push(`${id}, since there is no ${program} on the PATH`);
    return program === undefined;
  });
  const rows = await rowsOf(bench, table, stacks);
  const head = headOf(table, bench.settings);
  const { id, title } = table;
  if (typeof rows !== "string") return { id, title, head, rows, skipped };
  return { id, title, head, rows: [], skipped: [...skipped, rows] };
}

async function run({ settings, tables, stacks, json, report }: Options): Promise<void> {
  const programs = await findPrograms();
  const paths = new Map([...programs].map(([program, { path }]) => [program, path]));
  const about = await machine(programs, settings);
  console.log(await formatted(about));
  await using bench = await Bench.start(settings, paths);
  const results: Measured[] = [];
  for (const table of tables) {
    const result = await measure(bench, table, stacks);
    results.push(result);
    console.log(await formatted(markdownOf(result)));
  }
  if (json !== undefined) {
    await Deno.writeTextFile(json, JSON.stringify({ about, settings, results }, null, 2) + "\n");
  }
  await report?.write([about + "\n", ...results.map(markdownOf)].join("\n"));
}

function readOptions(): Options {
  if (Deno.args.includes("--help")) {
    console.log(USAGE);
    Deno.exit(0);
  }
  try {
    return parseArguments(Deno.args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error(USAGE);
    Deno.exit(2);
  }
}

await run(readOptions());
