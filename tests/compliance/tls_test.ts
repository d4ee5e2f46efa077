/** TLS on top of a transport keeps every promise of the seam. */
import { assert, assertEquals } from "@std/assert";
import { makeContext, secure } from "../../lib/transport/tls.ts";
import { tlsConf } from "../../lib/pipe/tls_conf.ts";
import { denoTcp } from "../../lib/transport/deno_tcp.ts";
import { memoryPair, memoryStreams } from "../../lib/transport/memory.ts";
import { nodeTcp } from "../../lib/transport/node_tcp.ts";
import { AcceptQueue } from "../../lib/transport/accept_queue.ts";
import type { Acceptor, Driver, Transport } from "../../lib/transport/transport.ts";
import { authority } from "../helpers/certificates.ts";
import { hasIPv6 } from "../helpers/probes.ts";
import { readAll } from "./pair.ts";
import { complianceSuite } from "./suite.ts";

const ca = await authority("Compliance CA");
const issued = await ca.issue({ names: ["localhost"] });
const context = (side: "client" | "server", conf: unknown) => {
  const checked = tlsConf(conf, "conf.useSsl");
  if (checked === false) throw new Error("no TLS");
  return makeContext(checked, side);
};
const server = context("server", { cert: issued.cert, key: issued.key });
const client = context("client", { caCerts: [ca.cert], serverName: "localhost" });

/** An acceptor that does the handshakes as connections come in. */
class TlsAcceptor implements Acceptor {
  readonly localAddr;
  readonly raw;
  readonly #under: Acceptor;
  readonly #queue = new AcceptQueue(9);
  readonly #closing = new AbortController();
  readonly #accepting: Promise<void>;

  constructor(under: Acceptor) {
    this.#under = under;
    this.localAddr = under.localAddr;
    this.raw = under.raw;
    this.#accepting = this.#acceptAll();
  }

  accept(): Promise<Transport | null> {
    return this.#queue.accept();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#under.close();
    await this.#accepting;
    this.#queue.close();
  }

  async #acceptAll(): Promise<void> {
    const shakes = [];
    for (let plain; (plain = await this.#under.accept()) !== null;) shakes.push(this.#shake(plain));
    await Promise.all(shakes);
  }

  async #shake(plain: Transport): Promise<void> {
    try {
      this.#queue.push(await secure(plain, server, undefined, this.#closing.signal));
    } catch {
      plain.abort();
    }
  }
}

/** A driver that does TLS on top of another one. */
function over(driver: Driver): Driver {
  return {
    name: `TLS over ${driver.name}`,
    async connect(to, from, options) {
      const plain = await driver.connect(to, from, options);
      try {
        return await secure(plain, client, "localhost", options.signal);
      } catch (error) {
        plain.abort();
        throw error;
      }
    },
    async listen(at, options) {
      const acceptor = await driver.listen(at, options);
      if (!("accept" in acceptor)) throw new Error("not a stream");
      return new TlsAcceptor(acceptor);
    },
  };
}

for (const host of ["127.0.0.1", "::1"]) {
  const dual = host === "::1";
  const family = dual ? "IPv6" : "IPv4";
  const ignore = dual && !hasIPv6;
  const stream = { kind: "stream", host, dual } as const;
  complianceSuite(
    `TLS over Deno TCP, ${family}`,
    { ...stream, driver: over(denoTcp), resets: true },
    ignore,
  );
  complianceSuite(
    `TLS over node:net TCP, ${family}`,
    { ...stream, driver: over(nodeTcp), resets: true },
    ignore,
  );
}
complianceSuite("TLS over memory", {
  kind: "stream",
  host: "127.0.0.1",
  dual: false,
  driver: over(memoryStreams()),
  resets: true,
});

Deno.test("TLS: a byte a record for longer than fits inside, and the reader sees each", async () => {
  const [a, b] = memoryPair();
  const { signal } = new AbortController();
  const [own, peer] = await Promise.all([
    secure(a, server, undefined, signal),
    secure(b, client, "localhost", signal),
  ]);
  const reading = readAll(own);
  const count = 20_000;
  for (let i = 0; i < count; i++) await peer.send(new Uint8Array([i]));
  await peer.close();
  const got = await reading;
  assertEquals(got.length, count);
  assert(got.every((byte, i) => byte === i % 256));
  await own.close();
});
