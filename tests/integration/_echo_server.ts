/**
 * An echo server in a process of its own, for tests that want to break it. Takes a protocol, an address
 * and a conf, prints its port, and for each line of its input one line of JSON: its counters, open
 * connections, what its `onError` was told, and the bytes in use (with `--v8-flags=--expose-gc`, after a collection).
 *
 * @module
 */
import { type NetConf, PipeClosedError, pipeOpen, TCP, UDP } from "@p2pd/pipes";

// Deno (2.9) sets up its signals half a second after the start, and panics without files for that.
Deno.addSignalListener("SIGUSR2", () => {});

const [proto, route, options = "{}"] = Deno.args;
const conf: Partial<NetConf> = JSON.parse(options);
const gc: unknown = Reflect.get(globalThis, "gc");

let errors = 0, shortages = 0;
const onError = (error: unknown) => {
  if (error instanceof PipeClosedError) return; // an echo to one who has left
  if (error instanceof Error && "code" in error && error.code === "EMFILE") {
    shortages++;
    return;
  }
  errors++;
  console.error(error);
};

await using server = await pipeOpen(proto === UDP ? UDP : TCP, {
  route,
  conf: { ...conf, onError },
  msgCb: (msg, from, pipe) => pipe.send(msg, from),
});
console.log(server.localAddr.port);

for await (const _ of Deno.stdin.readable) {
  if (typeof gc === "function") gc();
  const { heapUsed, external } = Deno.memoryUsage();
  const clients = "clients" in server && server.clients instanceof Set ? server.clients.size : 0;
  const memory = heapUsed + external;
  console.log(JSON.stringify({ ...server.stats, clients, errors, shortages, memory }));
}
