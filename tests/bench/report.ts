/** The report, in Markdown. */
import type { Settings } from "./args.ts";
import type { Measured } from "./bench.ts";
import type { Found } from "./programs.ts";
import type { Program } from "./stacks.ts";

async function read(file: string, pattern: RegExp): Promise<string> {
  return pattern.exec(await Deno.readTextFile(file))?.[1] ?? "?";
}

/** What the figures were measured on, and how much was measured. */
export async function machine(
  programs: ReadonlyMap<Program, Found>,
  { rounds, seconds, warmUp, starts, connections }: Settings,
): Promise<string> {
  const memory = Number(await read("/proc/meminfo", /^MemTotal:\s*(\d+)/m)) / 2 ** 20;
  const [load = NaN] = Deno.loadavg();
  const versions = [...programs].map(([program, { version }]) => `${program} ${version}`);
  return `${new Date().toISOString().slice(0, 16)}Z. ${navigator.hardwareConcurrency} × ` +
    `${await read("/proc/cpuinfo", /^model name\s*: (.*)$/m)}, ${memory.toFixed(0)} GiB, ` +
    `Linux ${Deno.osRelease()} ${Deno.build.arch}, load average before ${load.toFixed(2)}. ` +
    `${versions.join(", ")}. ` +
    `${rounds} rounds of ${seconds} s after ${warmUp} s of warming up, ${starts} starts, ` +
    `${connections} idle connections.`;
}

/** A table. */
export function table({ title, head, rows, skipped }: Measured): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    `### ${title}\n`,
    line(["", ...head]),
    line(["---", ...head.map(() => "--:")]),
    ...rows.map(({ name, cells }) => line([name, ...cells])),
    ...skipped.map((text) => `\nSkipped: ${text}.`),
  ].join("\n") + "\n";
}
