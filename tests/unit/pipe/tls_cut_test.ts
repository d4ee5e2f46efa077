/** A connection that is lost at any step of the handshake, the one right behind it included. */
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { NET_CONF, type NetAddr } from "@p2pd/pipes";
import { tlsConf } from "../../../lib/pipe/tls_conf.ts";
import { TransportError } from "../../../lib/transport/error.ts";
import { memoryStreams } from "../../../lib/transport/memory.ts";
import { makeContext, secure } from "../../../lib/transport/tls.ts";
import type { SendReport, Sink, Transport } from "../../../lib/transport/transport.ts";
import { clientTls, serverTls } from "../../helpers/tls.ts";

const SIZE = 1000;
const { signal } = new AbortController();

function context(side: "client" | "server") {
  const conf = tlsConf(side === "client" ? clientTls() : serverTls(), "conf.useSsl");
  assert(typeof conf === "object");
  return makeContext(conf, side);
}

/** Gives so many chunks of another transport; then, in the same turn, the connection is lost. */
class Losing implements Transport {
  readonly kind = "stream";
  readonly localAddr;
  readonly remoteAddr;
  readonly raw;
  readonly #under: Transport;
  readonly #how: "end" | "reset";
  #left: number;

  constructor(under: Transport, chunks: number, how: "end" | "reset") {
    this.localAddr = under.localAddr;
    this.remoteAddr = under.remoteAddr;
    this.raw = under.raw;
    this.#under = under;
    this.#left = chunks;
    this.#how = how;
  }

  async pull(sink: Sink): Promise<"paused" | "end"> {
    if (this.#left > 0) {
      let wanted = true;
      const how = await this.#under.pull((data, from) => {
        this.#left--;
        wanted = sink(data, from);
        return wanted && this.#left > 0;
      });
      if (how === "end" || !wanted || this.#left > 0) return how;
    }
    if (this.#how === "end") return "end";
    throw new TransportError("reset", new Error("lost"));
  }

  interrupt(): void {
    this.#under.interrupt?.();
  }

  send(data: Uint8Array, to?: NetAddr, report?: SendReport): Promise<number> {
    return this.#under.send(data, to, report);
  }

  close(): Promise<void> {
    return this.#under.close();
  }

  abort(reason: unknown): void {
    this.#under.abort(reason);
  }
}

async function pair(): Promise<Record<"server" | "client", Transport>> {
  const driver = memoryStreams();
  const options = { conf: NET_CONF, signal };
  const at = { transport: "tcp", hostname: "127.0.0.1", port: 0 } as const;
  const acceptor = await driver.listen(at, options);
  assert("accept" in acceptor);
  const [server, client] = await Promise.all([
    acceptor.accept(),
    driver.connect(acceptor.localAddr, undefined, options),
  ]);
  assert(server !== null);
  await acceptor.close();
  return { server, client };
}

for (const side of ["server", "client"] as const) {
  for (const how of ["end", "reset"] as const) {
    Deno.test(`tls: a ${side} whose connection is lost by ${how}, at every step`, async () => {
      const other = side === "server" ? "client" : "server";
      let opened = 0;
      for (let chunks = 0, outcome: unknown; outcome !== "end"; chunks++) {
        const ends = await pair();
        const far = (async () => {
          const transport = await secure(ends[other], context(other), "localhost", signal);
          await transport.send(new Uint8Array(SIZE));
          await transport.close();
        })().catch(() => {}); // it is lost for that side too
        let got = 0;
        const run = async () => {
          const losing = new Losing(ends[side], chunks, how);
          const near = await secure(losing, context(side), "localhost", signal);
          opened++;
          return await near.pull((data) => (got += data.length) > 0).finally(() => near.abort());
        };
        // Either there is no TLS, or reading tells. What must not be is silence.
        outcome = await deadline(run(), 2000).catch((error) => error);
        if (outcome === "end") assertEquals(got, SIZE);
        else assert(outcome instanceof TransportError, `${chunks} pieces: ${outcome}`);
        ends[side].abort();
        ends[other].abort();
        await far;
      }
      assert(opened > 1, "it was never lost behind the handshake");
    });
  }
}
