/**
 * A TCP echo server for a load generator, with pipes or without. Prints its port, and for each line of
 * its input one line of JSON: what it holds just then. Needs `--v8-flags=--expose-gc`.
 *
 *     echo_server.ts pipes|raw
 *
 * @module
 */
import { pipeOpen, TCP } from "@p2pd/pipes";

/** What a server holds. */
export interface Held {
  /** Connections. */
  readonly clients: number;
  /** Resident memory in bytes. */
  readonly rss: number;
  /** The bytes in use after a garbage collection. */
  readonly heap: number;
}

interface Server {
  readonly port: number;
  clients(): number;
}

async function pipes(): Promise<Server> {
  const server = await pipeOpen(TCP, {
    route: "0.0.0.0:0",
    msgCb: (msg, from, pipe) => pipe.send(msg, from),
  });
  return { port: server.localAddr.port, clients: () => server.clients.size };
}

/** The same, as one would write it by hand. */
function raw(): Server {
  const listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  let clients = 0;
  const echo = async (conn: Deno.TcpConn) => {
    clients++;
    const buffer = new Uint8Array(2048);
    for (let n: number | null; (n = await conn.read(buffer)) !== null;) {
      for (let done = 0; done < n;) done += await conn.write(buffer.subarray(done, n));
    }
    conn.close();
    clients--;
  };
  (async () => {
    for await (const conn of listener) {
      conn.setNoDelay(true);
      echo(conn);
    }
  })();
  return { port: listener.addr.port, clients: () => clients };
}

const gc: unknown = Reflect.get(globalThis, "gc");
const server = Deno.args[0] === "raw" ? raw() : await pipes();
console.log(server.port);
for await (const _ of Deno.stdin.readable) {
  if (typeof gc === "function") gc();
  const { rss, heapUsed, external } = Deno.memoryUsage();
  const held: Held = { clients: server.clients(), rss, heap: heapUsed + external };
  console.log(JSON.stringify(held));
}
Deno.exit(0);
