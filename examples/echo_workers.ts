/**
 * A TCP echo server on all cores: several workers listen on one port, and the system deals out the
 * connections among them by a hash (Linux; other systems may give all of them to one).
 *
 *     deno run --allow-net --allow-read --unstable-net echo_workers.ts
 *     deno run --allow-net --allow-read --unstable-net echo_workers.ts --listen 127.0.0.1:7000 4
 *
 * The first serves itself with 64 clients; the second serves until Ctrl-C, with 4 workers instead of
 * one for each core. Both say how many connections each worker had. Reading is for the workers' own
 * code; without `--unstable-net` it works too, over node:net, which is slower.
 *
 * @module
 */
import { pipeOpen, TCP } from "@p2pd/pipes";
import type { Order, Report } from "./_echo_worker.ts";

const USAGE = "Usage: deno run --allow-net --allow-read --unstable-net echo_workers.ts " +
  "[--listen HOST:PORT [WORKERS]]";

/** A worker, spoken to in orders and reports, one after the other. */
class Server {
  readonly #worker = new Worker(new URL("./_echo_worker.ts", import.meta.url), { type: "module" });

  /** Listens; gives the address, with the port that the system chose. */
  async listen(route: string): Promise<string> {
    const report = await this.#tell({ listen: route });
    return "listening" in report ? report.listening : route;
  }

  /** Closes it and ends the worker; gives how many connections it had. */
  async stop(): Promise<number> {
    const report = await this.#tell("stop");
    return "connections" in report ? report.connections : 0;
  }

  /** Tells it something, and gives what it answers. */
  async #tell(order: Order): Promise<Report> {
    const { promise, resolve, reject } = Promise.withResolvers<Report>();
    this.#worker.onmessage = ({ data }: MessageEvent<Report>) => resolve(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    this.#worker.postMessage(order);
    const report = await promise;
    if ("failed" in report) throw report.failed;
    return report;
  }
}

/** Starts all workers on one port: the first may choose which, the others take the same. */
async function serve(route: string, count: number): Promise<[addr: string, servers: Server[]]> {
  const servers = Array.from({ length: count }, () => new Server());
  let addr = route;
  for (const server of servers) addr = await server.listen(addr);
  console.log(`Listening on ${addr} with ${count} workers`);
  return [addr, servers];
}

async function stop(servers: readonly Server[]): Promise<void> {
  const counts = await Promise.all(servers.map((server) => server.stop()));
  for (const [i, count] of counts.entries()) console.log(`worker ${i + 1}: ${count} connections`);
}

async function demo(): Promise<void> {
  const [dest, servers] = await serve("127.0.0.1:0", Math.max(2, navigator.hardwareConcurrency));
  const clients = await Promise.all(Array.from({ length: 64 }, () => pipeOpen(TCP, { dest })));
  const replies = await Promise.all(clients.map((client, i) => client.request(`hello from ${i}`)));
  console.log(`${replies.length} clients were answered`);
  await Promise.all(clients.map((client) => client.close()));
  await stop(servers);
}

try {
  const [option, route, count = String(navigator.hardwareConcurrency), ...rest] = Deno.args;
  if (option === undefined) {
    await demo();
  } else if (
    option === "--listen" && route !== undefined && /^[1-9]\d{0,2}$/.test(count) &&
    rest.length === 0
  ) {
    const [, servers] = await serve(route, Number(count));
    Deno.addSignalListener("SIGINT", () => stop(servers).then(() => Deno.exit()));
  } else {
    throw new TypeError(`arguments: cannot understand "${Deno.args.join(" ")}"`);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  // Wrong arguments, ours or the library's, are TypeErrors and RangeErrors.
  const usage = error instanceof TypeError || error instanceof RangeError;
  if (usage) console.error(USAGE);
  Deno.exit(usage ? 2 : 1);
}
