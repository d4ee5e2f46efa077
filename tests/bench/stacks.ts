/** Who is compared: programs of the folder `servers`, and by what they are run. */
import type { Service } from "./protocol.ts";

/** What has to be installed. */
export type Program = "deno" | "node" | "python3" | "socat";

/** A server to compare. */
export interface Stack {
  readonly name: string;
  /** What runs it. */
  readonly runtime: "deno" | "node" | "python3";
  /** What it needs besides. */
  readonly needs?: Program;
  /** Its script, and how that is to serve. */
  readonly args: readonly [script: string, ...style: string[]];
}

const pipes = (name: string, style: string, messages: "kept" | "lent" = "kept"): Stack => ({
  name: `pipes, ${name}`,
  runtime: "deno",
  args: ["servers/pipes.ts", style, messages],
});

/** All of them, by the words of `--stacks`. */
export const STACKS = {
  raw: { name: "raw Deno loop", runtime: "deno", args: ["servers/raw.ts", "65536", "kept"] },
  "raw-fresh": {
    name: "raw Deno loop, new memory for each message",
    runtime: "deno",
    args: ["servers/raw.ts", "65536", "fresh"],
  },
  "raw-small": {
    name: "raw Deno loop, buffers of 1 KiB",
    runtime: "deno",
    args: ["servers/raw.ts", "1024", "kept"],
  },
  link: pipes("linked both ways", "link"),
  handler: pipes("handler", "handler"),
  loop: pipes("`for await`", "loop"),
  recv: pipes("`recv`", "recv"),
  "handler-lent": pipes("handler, `reuseBuffers`", "handler", "lent"),
  "loop-lent": pipes("`for await`, `reuseBuffers`", "loop", "lent"),
  "deno-node": {
    name: "node:net, node:dgram on Deno",
    runtime: "deno",
    args: ["servers/node.mjs"],
  },
  node: { name: "Node.js", runtime: "node", args: ["servers/node.mjs"] },
  asyncio: { name: "Python asyncio", runtime: "python3", args: ["servers/asyncio_server.py"] },
  socat: { name: "socat", runtime: "deno", needs: "socat", args: ["servers/socat.ts"] },
  libc: { name: "C calls, no runtime", runtime: "deno", args: ["servers/libc.ts"] },
} satisfies Readonly<Record<string, Stack>>;

/** The word for a stack. */
export type StackId = keyof typeof STACKS;

/** All words. */
export const STACK_IDS = Object.keys(STACKS) as readonly StackId[];

/** The command line of `deno run` for a script of this folder. */
export function denoRun(deno: string, unstable: boolean, ...script: string[]): string[] {
  return [deno, "run", "-A", "--quiet", ...unstable ? ["--unstable-net"] : [], ...script];
}

/**
 * The command line of a server.
 *
 * @param paths Where the programs are.
 * @param unstable Whether it gets `--unstable-net`.
 * @param end Where a relay relays to.
 */
export function commandOf(
  { runtime, args }: Stack,
  paths: ReadonlyMap<Program, string>,
  service: Service,
  unstable: boolean,
  end: number,
): string[] {
  const path = paths.get(runtime) ?? runtime;
  const script = [...args, service, String(end)];
  return runtime === "deno" ? denoRun(path, unstable, ...script) : [path, ...script];
}
