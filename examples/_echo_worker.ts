/// <reference lib="deno.worker" />
/**
 * What runs in each worker of echo_workers.ts: an echo server on a port that it shares.
 *
 * @module
 */
import { formatAddr, pipeOpen, type ServerPipe, TCP } from "@p2pd/pipes";

/** What a worker is told: where to listen, and to stop. */
export type Order = { readonly listen: string } | "stop";

/** What a worker tells: where it listens, how many connections it had when it stopped, what went wrong. */
export type Report =
  | { readonly listening: string }
  | { readonly connections: number }
  | { readonly failed: unknown };

let server: ServerPipe | undefined;
let connections = 0;

async function listen(route: string): Promise<Report> {
  server = await pipeOpen(TCP, {
    route,
    upCb: () => connections++,
    msgCb: (msg, _from, pipe) => pipe.send(msg),
    conf: { reuseAddr: true },
  });
  return { listening: formatAddr(server.localAddr) };
}

async function stop(): Promise<Report> {
  await server?.close();
  return { connections };
}

self.onmessage = async ({ data: order }: MessageEvent<Order>) => {
  const work = order === "stop" ? stop() : listen(order.listen);
  const report = await work.catch((failed): Report => ({ failed }));
  self.postMessage(report);
  if (order === "stop") self.close();
};
