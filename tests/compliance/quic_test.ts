/**
 * The compliance suite over QUIC. A stream of QUIC is there for its peer with its first byte only, and
 * the suite begins with connections on which nothing was sent: so here each begins with a greeting,
 * before anybody else sees it.
 */
import type { Acceptor, Driver, Transport } from "../../lib/transport/transport.ts";
import { quicDriver } from "../../lib/quic/driver.ts";
import { AcceptQueue } from "../../lib/transport/accept_queue.ts";
import { tlsConf } from "../../lib/pipe/tls_conf.ts";
import { authority } from "../helpers/certificates.ts";
import { hasDenoUdp, hasIPv6 } from "../helpers/probes.ts";
import { readBytes } from "./pair.ts";
import { complianceSuite } from "./suite.ts";

const ca = await authority("Compliance CA");
const issued = await ca.issue({ names: ["localhost"] });
const server = tlsConf({ cert: issued.cert, key: issued.key }, "server");
const client = tlsConf({ caCerts: [ca.cert], serverName: "localhost" }, "client");
const GREETING = new Uint8Array([1]);

/** Answers the greeting of every connection. */
class Greeter implements Acceptor {
  readonly localAddr;
  readonly #under: Acceptor;
  readonly #queue = new AcceptQueue(9);
  readonly #accepting: Promise<void>;

  constructor(under: Acceptor) {
    this.#under = under;
    this.localAddr = under.localAddr;
    this.#accepting = this.#acceptAll();
  }

  get raw(): unknown {
    return this.#under.raw;
  }

  accept(): Promise<Transport | null> {
    return this.#queue.accept();
  }

  async close(): Promise<void> {
    this.#queue.close();
    await this.#under.close();
    await this.#accepting;
  }

  async #acceptAll(): Promise<void> {
    const greeted = [];
    for (let next; (next = await this.#under.accept()) !== null;) greeted.push(this.#greet(next));
    await Promise.all(greeted);
  }

  async #greet(transport: Transport): Promise<void> {
    try {
      await readBytes(transport, 1);
      await transport.send(GREETING);
      this.#queue.push(transport);
    } catch {
      transport.abort();
    }
  }
}

const greeting: Driver = {
  name: "QUIC with a greeting",
  async connect(to, from, options) {
    const { signal } = options;
    // A source address, so that both ends call the connection the same.
    const local = from ?? { ...to, port: 0 };
    const conf = { ...options.conf, useSsl: client };
    const transport = await quicDriver.connect(to, local, { ...options, conf });
    const onAbort = () => transport.abort();
    signal.addEventListener("abort", onAbort);
    try {
      await transport.send(GREETING);
      await readBytes(transport, 1);
      return transport;
    } catch (error) {
      transport.abort();
      await transport.close();
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  },
  async listen(at, options) {
    const conf = { ...options.conf, useSsl: server };
    const acceptor = await quicDriver.listen(at, { ...options, conf });
    if (!("accept" in acceptor)) throw new Error("not a stream");
    return new Greeter(acceptor);
  },
};

for (const host of ["127.0.0.1", "::1"]) {
  const isV6 = host === "::1";
  complianceSuite(
    `QUIC, ${isV6 ? "IPv6" : "IPv4"}`,
    { kind: "stream", host, dual: false, driver: greeting, resets: true, transport: "udp" },
    !hasDenoUdp || (isV6 && !hasIPv6),
  );
}
