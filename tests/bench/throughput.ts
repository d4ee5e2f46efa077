/** How much servers move, and at what cost. */
import type { Bench, Row, Server } from "./bench.ts";
import { middle, range, ratios } from "./figures.ts";
import { cpuTime } from "./load/libc.ts";
import { countsMessages, type Throughput } from "./plan.ts";
import type { Received, Traffic } from "./protocol.ts";
import { type StackId, STACKS } from "./stacks.ts";

/**
 * Servers take turns of at most so long, so that what else the machine does meanwhile hits all of them.
 * Seconds.
 */
const TURN = 0.17;

async function turn(
  bench: Bench,
  server: Server,
  { workload, width, size }: Throughput,
  seconds: number,
): Promise<Traffic> {
  const job = { workload, width, size, seconds };
  if (workload !== "flood") return await bench.load<Traffic>(server, job);
  // Only the server knows what arrived. It is asked when no more comes, and answers when it has done
  // with what waits, so what it took is counted up to then.
  const { pid } = server.child;
  const before = await server.child.ask<Received>("");
  const cpu = cpuTime(pid);
  const start = performance.now();
  const sent = await bench.load<Traffic>(server, job);
  const { messages } = await server.child.ask<Received>("");
  return {
    units: messages - before.messages,
    lost: Math.max(0, sent.units - (messages - before.messages)),
    seconds: (performance.now() - start) / 1000,
    serverCpu: cpuTime(pid) - cpu,
    loadCpu: sent.loadCpu,
  };
}

const NOTHING: Traffic = { units: 0, lost: 0, seconds: 0, serverCpu: 0, loadCpu: 0 };

function sum(a: Traffic, b: Traffic): Traffic {
  return {
    units: a.units + b.units,
    lost: a.lost + b.lost,
    seconds: a.seconds + b.seconds,
    serverCpu: a.serverCpu + b.serverCpu,
    loadCpu: a.loadCpu + b.loadCpu,
  };
}

/** One round: all servers in turns, each for so many seconds in all. */
async function round(
  bench: Bench,
  table: Throughput,
  servers: readonly Server[],
): Promise<Traffic[]> {
  const { seconds } = bench.settings;
  const samples = servers.map(() => NOTHING);
  const turns = Math.ceil(seconds / TURN);
  for (let n = 0; n < turns; n++) {
    for (let i = 0; i < servers.length; i++) {
      // Somebody else begins each time, so that nobody always comes after the same one.
      const at = (i + n) % servers.length;
      const [server, sample] = [servers[at], samples[at]];
      if (server === undefined || sample === undefined) continue;
      samples[at] = sum(sample, await turn(bench, server, table, seconds / turns));
    }
  }
  return samples;
}

/** Measures a table, with servers that were started for it. */
export async function throughput(
  bench: Bench,
  table: Throughput,
  stacks: readonly StackId[],
): Promise<Row[]> {
  const { rounds, warmUp } = bench.settings;
  await using running = new AsyncDisposableStack();
  const servers = await Promise.all(stacks.map(async (id) => {
    const server = await bench.serve(id, table.workload, table.unstable);
    running.use(server.child);
    return server;
  }));
  for (const server of servers) await turn(bench, server, table, warmUp);
  const all: Traffic[][] = stacks.map(() => []);
  for (let n = 0; n < rounds; n++) {
    const samples = await round(bench, table, servers);
    samples.forEach((sample, i) => all[i]?.push(sample));
  }
  const million = countsMessages(table.workload) ? 1 : 1e6;
  const figures = all.map((samples) => ({
    rate: samples.map(({ units, seconds }) => units / million / seconds),
    cpu: samples.map(({ units, serverCpu }) => serverCpu * 1e6 / (units / million)),
    server: samples.map(({ serverCpu, seconds }) => 100 * serverCpu / seconds),
    load: samples.map(({ loadCpu, seconds }) => 100 * loadCpu / seconds),
    lost: samples.map(({ lost, units }) => 100 * lost / (units + lost)),
  }));
  return stacks.map((id, i) => {
    const [mine, base] = [figures[i], figures[0]];
    if (mine === undefined || base === undefined) throw new RangeError("a row without figures");
    const faster = ratios(mine.rate, base.rate);
    const cells = [
      middle(mine.rate, 0),
      middle(faster),
      i === 0 ? "" : range(faster),
      middle(mine.cpu, million === 1 ? 2 : 0),
      middle(ratios(base.cpu, mine.cpu)),
      middle(mine.server, 0),
      middle(mine.load, 0),
    ];
    if (isUdp(table)) cells.push(middle(mine.lost, 1));
    return { id, name: STACKS[id].name, figures: mine, cells };
  });
}

/** Of the columns. */
export function throughputHead(table: Throughput): string[] {
  const [rate, unit] = countsMessages(table.workload) ? ["msgs/s", "message"] : ["MB/s", "MB"];
  const head = [
    rate,
    "ratio",
    "range",
    `CPU µs/${unit}`,
    "CPU ratio",
    "server busy %",
    "load busy %",
  ];
  return isUdp(table) ? [...head, "lost %"] : head;
}

function isUdp({ workload }: Throughput): boolean {
  return workload === "udp-echo" || workload === "flood";
}
