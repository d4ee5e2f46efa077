/** Which programs are on this machine. */
import type { Program } from "./stacks.ts";

/** Makes a program say where it really is (a version manager may have put a script before it), and which. */
const ASK: readonly (readonly [Program, readonly [command: string, ...args: string[]]])[] = [
  ["deno", [
    Deno.execPath(),
    "eval",
    "console.log(Deno.execPath()), console.log(Deno.version.deno)",
  ]],
  // Where there is no Node.js, Deno runs itself as "node".
  ["node", [
    "node",
    "-p",
    "process.versions.deno ? '' : process.execPath + '\\n' + process.version",
  ]],
  ["python3", [
    "python3",
    "-c",
    "import sys; print(sys.executable); print(sys.version.split()[0])",
  ]],
  ["socat", [
    "sh",
    "-c",
    "command -v socat && socat -V | sed -n 's/.* version \\([^ ]*\\).*/\\1/p'",
  ]],
];

/** A program that is there. */
export interface Found {
  readonly path: string;
  readonly version: string;
}

async function find(
  [command, ...args]: readonly [string, ...string[]],
): Promise<Found | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
    const [path = "", version = ""] = new TextDecoder().decode(stdout).trim().split("\n");
    return success && path !== "" ? { path, version } : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Those that are there. */
export async function findPrograms(): Promise<ReadonlyMap<Program, Found>> {
  const found = new Map<Program, Found>();
  for (const [program, command] of ASK) {
    const it = await find(command);
    if (it !== undefined) found.set(program, it);
  }
  return found;
}
