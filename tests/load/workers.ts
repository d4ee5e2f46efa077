/**
 * What a second worker brings `examples/echo_workers.ts`: the same load on it with one worker and with
 * several, in turns.
 *
 *     deno run -A tests/load/workers.ts [--workers 2] [--rounds 5] [--messages 100000]
 *
 * The generators need processors too: where those are few, look at what a message costs the server,
 * which says what it could do with more of them.
 *
 * @module
 */
import { Program } from "../lab/_helpers.ts";
import { numbers } from "./arguments.ts";
import { cpuOf, Generator } from "./processes.ts";

/** Connections, all of them with a message under way. */
const CONNECTIONS = 64;
/** One generator alone would be slower than what it measures. */
const GENERATORS = 2;

interface Figures {
  /** Messages a second. */
  readonly rate: number;
  /** Microseconds of CPU that a message costs the server, and the generators. */
  readonly server: number;
  readonly load: number;
}

class Server {
  readonly workers: number;
  readonly #program: Program;
  readonly #port: number;

  private constructor(workers: number, program: Program, port: number) {
    this.workers = workers;
    this.#program = program;
    this.#port = port;
  }

  static async start(workers: number): Promise<Server> {
    const example = new URL("../../examples/echo_workers.ts", import.meta.url).pathname;
    const program = new Program(Deno.execPath(), [
      ...["run", "--quiet", "--allow-net", "--allow-read", "--unstable-net", example],
      ...["--listen", "0.0.0.0:0", String(workers)],
    ]);
    const [, port] = await program.stdout.line(/^Listening on .*:(\d+) /);
    return new Server(workers, program, Number(port));
  }

  async measure(messages: number): Promise<Figures> {
    const loads = Array.from({ length: GENERATORS }, () => new Generator());
    const [each, connections] = [messages / GENERATORS, CONNECTIONS / GENERATORS];
    const echo = (count: number) =>
      Promise.all(
        loads.map((load) => load.tell({ do: "echo", messages: count, width: connections })),
      );
    const cpu = async () =>
      (await Promise.all(loads.map((load) => load.cpu()))).reduce((a, b) => a + b);
    try {
      await Promise.all(
        loads.map((load) => load.tell({ do: "open", port: this.#port, connections })),
      );
      await echo(each / 10);
      const [server, load, start] = [
        await cpuOf(this.#program.pid),
        await cpu(),
        performance.now(),
      ];
      await echo(each);
      return {
        rate: messages / (performance.now() - start) * 1000,
        server: (await cpuOf(this.#program.pid) - server) / messages * 1000,
        load: (await cpu() - load) / messages * 1000,
      };
    } finally {
      await Promise.all(loads.map((load) => load[Symbol.asyncDispose]()));
    }
  }

  async stop(): Promise<void> {
    this.#program.kill("SIGINT");
    console.log(`${this.workers} of them:\n${(await this.#program.stdout.text()).trimEnd()}`);
    await this.#program[Symbol.asyncDispose]();
  }
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? NaN;
}

const { workers, rounds, messages } = numbers(Deno.args, {
  workers: 2,
  rounds: 5,
  messages: 100_000,
});
const servers = [await Server.start(1), await Server.start(workers)];
const all = servers.map((server): { server: Server; figures: Figures[] } => ({
  server,
  figures: [],
}));
for (let round = 0; round < rounds; round++) {
  for (const { server, figures } of all) figures.push(await server.measure(messages));
}
console.log("| workers | messages/s | gain | µs of CPU a message: server | load |");
console.log("| --- | --- | --- | --- | --- |");
const base = all[0]?.figures.map(({ rate }) => rate) ?? [];
for (const { server, figures } of all) {
  const rates = figures.map(({ rate }) => rate);
  const gain = median(rates.map((rate, round) => rate / (base[round] ?? NaN)));
  const cells = [
    String(server.workers),
    Math.round(median(rates)).toLocaleString("en-US"),
    gain.toFixed(2),
    median(figures.map((one) => one.server)).toFixed(1),
    median(figures.map((one) => one.load)).toFixed(1),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
for (const server of servers) await server.stop();
