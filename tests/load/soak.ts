/**
 * Mixed traffic for a long time: connections that are opened, answered, half-closed, reset and served,
 * links made and cut, subscriptions, UDP. All content is checked, and what the process holds must not
 * grow from the first quarter of the time on.
 *
 *     deno run -A tests/load/soak.ts [--minutes 20] [--samples 40]
 *
 * @module
 */
import { Program } from "../lab/_helpers.ts";
import { numbers } from "./arguments.ts";
import type { Sample } from "./soak_child.ts";

/** What was seen of the process at one time. */
export interface Seen extends Sample {
  /** Seconds since the start. */
  readonly at: number;
  /** Sockets that the process has open. */
  readonly sockets: number;
}

/** How long, and how often to look. */
export interface SoakOptions {
  readonly minutes: number;
  readonly samples: number;
  /** Flags of `deno run`. @default {["--unstable-net"]} */
  readonly flags?: readonly string[];
}

const MB = 2 ** 20;

/**
 * What each figure may grow by between the end of the first quarter and the end. Memory is noisy: the
 * engine compiles functions, forgets them and takes pages in advance; in the first minutes what is
 * resident may double.
 * What is counted has to be the same when nothing is under way; only a pipe may still be held by a
 * register or a stack frame of the last one who used it.
 */
const BOUNDS = {
  rss: (before: number, minutes: number) => minutes < 3 ? before : Math.max(16 * MB, before / 10),
  heap: (before: number) => Math.max(MB, before / 10),
  sockets: () => 0,
  resources: () => 0,
  timers: () => 0,
  pipes: () => 20,
} as const;

type Figure = keyof typeof BOUNDS;
const FIGURES: readonly Figure[] = ["rss", "heap", "sockets", "resources", "timers", "pipes"];

/**
 * Runs the traffic and looks at it from time to time.
 *
 * @param options How long, and how often to look.
 * @param see Called with what is seen each time.
 * @returns All that was seen.
 * @throws {Error} When anything was lost or changed, or the traffic came to a stop.
 */
export async function soak(options: SoakOptions, see?: (seen: Seen) => void): Promise<Seen[]> {
  const { minutes, samples, flags = ["--unstable-net"] } = options;
  const script = new URL("soak_child.ts", import.meta.url).pathname;
  await using child = new Program(Deno.execPath(), [
    ...["run", "-A", "--quiet", "--v8-flags=--expose-gc", ...flags, script],
  ]);
  try {
    const all: Seen[] = [];
    const start = performance.now();
    for (let i = 1; i <= samples; i++) {
      const due = start + i / samples * minutes * 60_000;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      await child.write("pause\n");
      const [line] = await child.stdout.line(/^{.*}$/);
      const sample: Sample = JSON.parse(line);
      const seen = {
        ...sample,
        sockets: countSockets(child.pid),
        at: (performance.now() - start) / 1000,
      };
      all.push(seen);
      see?.(seen);
      await child.write("go\n");
    }
    await child.endInput();
    const { code } = await child.ended();
    if (code !== 0) throw new Error(`it ended with code ${code}`);
    return all;
  } catch (error) {
    try {
      child.kill("SIGKILL"); // it may hang
    } catch {
      // It has ended.
    }
    throw new Error(`Mixed traffic failed: ${error}\n${await child.stderr.text()}`);
  }
}

function countSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  const isSocket = (name: string) => {
    try {
      return Deno.readLinkSync(`${folder}/${name}`).startsWith("socket:");
    } catch {
      return false; // closed since the folder was read
    }
  };
  return [...Deno.readDirSync(folder)].filter(({ name }) => isSocket(name)).length;
}

/** What has grown by more than it may, in words; nothing if all is well. */
export function growth(all: readonly Seen[]): string[] {
  const minutes = (all.at(-1)?.at ?? 0) / 60;
  const middle = (seen: readonly Seen[], figure: Figure) =>
    seen.map((one) => one[figure]).sort((a, b) => a - b)[Math.floor(seen.length / 2)] ?? NaN;
  // Around the end of the first quarter, and as many at the end.
  const width = Math.max(1, Math.floor(all.length / 8));
  const quarter = Math.ceil(all.length / 4);
  const early = all.slice(Math.max(0, quarter - width), quarter + width),
    late = all.slice(-2 * width);
  return FIGURES.flatMap((figure) => {
    const [before, after] = [middle(early, figure), middle(late, figure)];
    const most = BOUNDS[figure](before, minutes);
    const grown = after - before;
    return grown <= most ? [] : [`${figure}: from ${before} to ${after}, may grow by ${most}`];
  });
}

/** One line of figures. */
export function line({ at, rss, heap, sockets, resources, timers, pipes, counts }: Seen): string {
  const done = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return `${at.toFixed(0).padStart(5)} s: RSS ${(rss / MB).toFixed(1)} MiB, heap ` +
    `${
      (heap / MB).toFixed(2)
    } MiB, ${sockets} sockets, ${resources} resources, ${timers} timers, ` +
    `${pipes} pipes; ${done.toLocaleString("en-US")} things done`;
}

/** What was done, a line each. */
export function summary({ counts }: Seen): string {
  return Object.entries(counts).map(([what, count]) => `  ${count.toLocaleString("en-US")} ${what}`)
    .join("\n");
}

if (import.meta.main) {
  const all = await soak(
    numbers(Deno.args, { minutes: 20, samples: 40 }),
    (seen) => console.log(line(seen)),
  );
  const last = all.at(-1);
  if (last !== undefined) console.log(summary(last));
  const grown = growth(all);
  console.log(grown.length === 0 ? "Nothing has grown." : `GROWN: ${grown.join("; ")}`);
  if (grown.length > 0) Deno.exit(1);
}
