/** What servers with idle connections have in memory. */
import type { Bench, Row } from "./bench.ts";
import { differences, median, middle, ratios } from "./figures.ts";
import type { Memory } from "./protocol.ts";
import { type StackId, STACKS } from "./stacks.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** Open files of a process besides its connections, generously. */
const OTHER_FILES = 200;

/** Of the columns. */
export function memoryHead(connections: number): string[] {
  const all = connections.toLocaleString("en-US");
  return ["MiB with 1", `MiB with ${all}`, "ratio", "KiB each", "KiB each, above the first row"];
}

async function fileLimit(): Promise<number> {
  const limits = await Deno.readTextFile("/proc/self/limits");
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
}

/**
 * Raises the number of files that this process and those that it starts may open. Deno has raised it to
 * the hard limit already; more takes root.
 *
 * @returns Why it is too low all the same, if it is.
 */
async function raiseFileLimit(connections: number): Promise<string | undefined> {
  const need = connections + OTHER_FILES;
  if (await fileLimit() >= need) return undefined;
  try {
    const args = ["--pid", String(Deno.pid), `--nofile=${need}:${need}`];
    await new Deno.Command("prlimit", { args, stderr: "null" }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const limit = await fileLimit();
  if (limit >= need) return undefined;
  return `${connections} connections need ${need} files, and a process may open ${limit} (ulimit -n)`;
}

async function once(bench: Bench, id: StackId): Promise<Memory> {
  const { connections, rest } = bench.settings;
  const server = await bench.serve(id, "tcp-echo", false);
  await using _child = server.child;
  const job = { workload: "idle", width: connections, size: 64, seconds: rest } as const;
  return await bench.load<Memory>(server, job);
}

/** Measures the table, or says why that is impossible. */
export async function memory(bench: Bench, stacks: readonly StackId[]): Promise<Row[] | string> {
  const { connections, memoryRounds } = bench.settings;
  const problem = await raiseFileLimit(connections);
  if (problem !== undefined) return problem;
  const all = stacks.map(() => ({ before: [] as number[], after: [] as number[] }));
  for (let n = 0; n < memoryRounds; n++) {
    for (const [i, id] of stacks.entries()) {
      const { before, after } = await once(bench, id);
      all[i]?.before.push(before);
      all[i]?.after.push(after);
    }
  }
  return stacks.map((id, i) => {
    const [mine, base] = [all[i], all[0]];
    if (mine === undefined || base === undefined) throw new RangeError("a row without figures");
    const each = differences(mine.after, mine.before).map((bytes) => bytes / connections);
    const above = differences(mine.after, base.after).map((bytes) => bytes / connections);
    const cells = [
      middle(mine.before.map((bytes) => bytes / MIB), 0),
      middle(mine.after.map((bytes) => bytes / MIB), 0),
      middle(ratios(mine.after, base.after)),
      middle(each.map((bytes) => bytes / KIB), 1),
      (median(above) / KIB).toFixed(1),
    ];
    return { id, name: STACKS[id].name, figures: mine, cells };
  });
}
