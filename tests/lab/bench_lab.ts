/** That the benchmark measures everything that it says it does. No figure is judged here. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { meter } from "../bench/load/meter.ts";
import { labTest, Program, until } from "./_helpers.ts";

const MAIN = new URL("../bench/main.ts", import.meta.url).pathname;
const RESULTS = new URL("../bench/RESULTS.md", import.meta.url);

const OURS = ["handler", "loop", "recv"];
const PEERS = ["deno-node", "node", "asyncio"];
const ALL = ["raw", ...OURS, ...PEERS];
const SERVED = [...ALL, "libc"];
const STREAMED = ["raw", "raw-fresh", ...SERVED.slice(1)];
const STABLE = ["deno-node", ...OURS];
const LENT = ["handler-lent", "loop-lent"];

/** The rows of each table, by what measures it. */
const TABLES: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "tcp-1": { "tcp-1": STREAMED },
  "tcp-64": { "tcp-64": STREAMED },
  "tcp-1000": { "tcp-1000": STREAMED },
  sink: { sink: ["raw", "raw-fresh", ...OURS, ...LENT, ...PEERS, "libc"] },
  relay: { relay: ["raw", "link", ...OURS, ...LENT, ...PEERS, "socat"] },
  "udp-1-64": { "udp-1-64": SERVED, "udp-1-64-stable": STABLE },
  "udp-64-64": { "udp-64-64": SERVED, "udp-64-64-stable": STABLE },
  "udp-1-1400": { "udp-1-1400": SERVED, "udp-1-1400-stable": STABLE },
  "udp-64-1400": { "udp-64-1400": SERVED, "udp-64-1400-stable": STABLE },
  flood: { flood: SERVED, "flood-stable": STABLE },
  start: { "start-tcp": ALL, "start-udp": ALL },
  import: { import: ["empty", "pipes", "tcp", "udp", "udp-unstable"] },
  idle: { idle: ["raw", "raw-small", ...OURS, ...PEERS] },
};

interface Table {
  readonly id: string;
  readonly title: string;
  readonly rows: readonly {
    readonly id: string;
    readonly figures: Readonly<Record<string, readonly number[]>>;
    readonly cells: readonly string[];
  }[];
  readonly head: readonly string[];
  readonly skipped: readonly string[];
}

/** Runs it with these arguments and gives its tables and what it said. */
async function bench(env: Record<string, string>, ...args: string[]): Promise<[Table[], string]> {
  const json = await Deno.makeTempFile();
  try {
    const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const command = [...words, Deno.execPath(), "run", "-A", MAIN, "--quick", "--json", json];
    await using program = new Program("/usr/bin/env", [...command, ...args]);
    const [output, errors] = await Promise.all([program.stdout.text(), program.stderr.text()]);
    assertEquals([(await program.ended()).code, errors], [0, ""]);
    return [JSON.parse(await Deno.readTextFile(json)).results, output];
  } finally {
    await Deno.remove(json);
  }
}

for (const [only, expected] of Object.entries(TABLES)) {
  labTest(`The benchmark gives every figure of ${Object.keys(expected).join(", ")}`, async () => {
    const [tables] = await bench({}, "--only", only);
    const rows = tables.map((table) => [table.id, table.rows.map(({ id }) => id)]);
    assertEquals(Object.fromEntries(rows), expected);
    for (const { id, rows, head, skipped } of tables) {
      assertEquals(skipped, []);
      for (const { figures, cells, ...row } of rows) {
        assertEquals(cells.length, head.length, `${id}, ${row.id}`);
        for (const [name, [figure = NaN, ...more]] of Object.entries(figures)) {
          const sound = name === "lost" ? figure >= 0 && figure <= 100 : figure > 0;
          assert(sound && Number.isFinite(figure), `${id}, ${row.id}: ${name} is ${figure}`);
          assertEquals(more, id === "import" ? more.slice(0, 1) : []);
        }
      }
    }
  });
}

labTest("The benchmark goes without what is not installed, and says so", async () => {
  const [[relay], output] = await bench({ PATH: "/nowhere" }, "--only", "relay");
  assertEquals(relay?.rows.map(({ id }) => id), ["raw", "link", ...OURS, ...LENT, "deno-node"]);
  assertEquals(relay?.skipped.length, 3);
  for (const program of ["node", "python3", "socat"]) {
    assertStringIncludes(output, `since there is no ${program} on the PATH`);
  }
});

labTest("The benchmark measures what it is asked for, and puts it between the marks", async () => {
  const file = await Deno.makeTempFile({ suffix: ".md" });
  try {
    const before = await Deno.readTextFile(RESULTS);
    await Deno.writeTextFile(file, before);
    const args = [
      "--stacks",
      "handler",
      "--rounds",
      "2",
      "--seconds",
      "0.01",
      "--warm-up",
      "0.01",
      "--markdown",
      file,
    ];
    const [tables] = await bench({}, "--only", "tcp-1,sink", ...args);
    assertEquals(tables.map(({ id }) => id), ["tcp-1", "sink"]);
    for (const { rows } of tables) {
      assertEquals(rows.map(({ id }) => id), ["raw", "handler"]);
      for (const { figures } of rows) assertEquals(figures["rate"]?.length, 2);
    }
    const after = await Deno.readTextFile(file);
    const parts = (text: string) =>
      text.split(/(?<=<!-- figures: begin -->)|(?=<!-- figures: end -->)/);
    const [[head, , tail], [newHead, report, newTail]] = [parts(before), parts(after)];
    assertEquals([newHead, newTail], [head, tail]);
    for (const { title } of tables) assertStringIncludes(report ?? "", `### ${title}`);
    assertEquals(report?.match(/^\| pipes, handler /gm)?.length, 2);
  } finally {
    await Deno.remove(file);
  }
});

labTest("The benchmark refuses arguments that it cannot understand", async () => {
  for (
    const [args, message] of [
      [["--rounds", "0"], '--rounds: a whole number up to 1000 is needed, got "0"'],
      [["--seconds", "x"], '--seconds: a number up to 60 is needed, got "x"'],
      [["--only", "tcp,nothing"], '--only: no table is called "nothing"'],
      [["--stacks", "rust"], "--stacks: one of raw, "],
      [["--markdown", MAIN], "--markdown: "],
      [["--frobnicate", "1"], 'there is no option "--frobnicate"'],
      [["--json"], "--json: there is no such option, or no value"],
    ] as const
  ) {
    await using program = new Program(Deno.execPath(), ["run", "-A", MAIN, ...args]);
    const [output, errors] = await Promise.all([program.stdout.text(), program.stderr.text()]);
    assertStringIncludes(errors, message);
    assertEquals([(await program.ended()).code, output], [2, ""]);
  }
});

labTest("The CPU time of a server includes that of what it started", async () => {
  const idleButForItsChild = "sh -c 'echo $$; while :; do :; done' & wait";
  await using program = new Program("sh", ["-c", idleButForItsChild]);
  const [, pid] = await program.stdout.line(/^(\d+)$/);
  try {
    const done = meter(program.pid);
    await until(() => done(1).serverCpu > 0.05, "50 ms of CPU time");
  } finally {
    Deno.kill(Number(pid), "SIGKILL");
  }
});
