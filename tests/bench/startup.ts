/** How long processes take to start. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Bench, Row, Server } from "./bench.ts";
import { decimal, differences, middle, ratios } from "./figures.ts";
import type { Startup } from "./plan.ts";
import { denoRun, type StackId, STACKS } from "./stacks.ts";

/** Something whose time is taken. */
interface Start {
  readonly id: string;
  readonly name: string;
  /** Does it once. Gives milliseconds. */
  readonly run: () => Promise<number>;
}

/** Of the columns. */
export const STARTUP_HEAD: readonly string[] = ["ms", "ms more", "ratio", "least ms"];

/** Takes the time of each, in turns. */
async function compare(starts: readonly Start[], times: number): Promise<Row[]> {
  const all: number[][] = starts.map(() => []);
  for (const { run } of starts) await run(); // for the caches
  for (let n = 0; n < times; n++) {
    for (let i = 0; i < starts.length; i++) {
      const at = (i + n) % starts.length;
      const ms = await starts[at]?.run();
      if (ms !== undefined) all[at]?.push(ms);
    }
  }
  return starts.map(({ id, name }, i) => {
    const [mine, base] = [all[i] ?? [], all[0] ?? []];
    const cells = [
      middle(mine, 1),
      middle(differences(mine, base), 1),
      middle(ratios(mine, base)),
      decimal(Math.min(...mine), 1),
    ];
    return { id, name, figures: { ms: mine }, cells };
  });
}

async function overTcp({ port }: Server): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(Uint8Array.of(7));
  if (await conn.read(new Uint8Array(1)) !== 1) throw new Error("no byte came back");
}

async function overUdp({ port }: Server): Promise<void> {
  const socket = createSocket("udp4");
  socket.send(Uint8Array.of(7), port, "127.0.0.1");
  await once(socket, "message");
  socket.close();
}

/** Measures from the start of a server to the first byte that it echoed. */
export function startup(
  bench: Bench,
  { service }: Startup,
  stacks: readonly StackId[],
): Promise<Row[]> {
  const echo = service === "tcp-echo" ? overTcp : overUdp;
  const starts = stacks.map((id): Start => ({
    id,
    name: STACKS[id].name,
    run: async () => {
      const start = performance.now();
      const server = await bench.serve(id, service, service === "udp-echo");
      await using _child = server.child;
      await echo(server);
      return performance.now() - start;
    },
  }));
  return compare(starts, bench.settings.starts);
}

const IMPORTS = [
  { id: "empty", name: "an empty file", unstable: false },
  { id: "pipes", name: "import of mod.ts", unstable: false },
  { id: "tcp", name: "and a TCP server opened and closed", unstable: false },
  { id: "udp", name: "and a UDP one, without `--unstable-net`", unstable: false },
  { id: "udp", name: "and a UDP one, with `--unstable-net`", unstable: true },
];

/** Measures `deno run` of small programs, to their end. */
export function imports(bench: Bench): Promise<Row[]> {
  const starts = IMPORTS.map(({ id, name, unstable }): Start => ({
    id: unstable ? `${id}-unstable` : id,
    name,
    run: async () => {
      const script = `imports/${id}.ts`;
      const [command = "", ...args] = denoRun(Deno.execPath(), unstable, script);
      const start = performance.now();
      const { success } = await new Deno.Command(command, {
        args,
        cwd: import.meta.dirname ?? ".",
        stdin: "null",
        stdout: "null",
        stderr: "inherit",
      }).output();
      if (!success) throw new Error(`${script} failed`);
      return performance.now() - start;
    },
  }));
  return compare(starts, 2 * bench.settings.starts);
}
