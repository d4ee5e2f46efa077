/** What connections meet that come, shake hands and go at the same moment as something else happens. */
import { assertEquals, assertRejects } from "@std/assert";
import { NET_CONF, type NetAddr, type NetConf, PipeClosedError, TCP } from "@p2pd/pipes";
import { Handshakes } from "../../../lib/pipe/handshakes.ts";
import { ListenPipe } from "../../../lib/pipe/server.ts";
import type { Acceptor, Transport } from "../../../lib/transport/transport.ts";
import { turns } from "../../helpers/turns.ts";

const addr = (port: number): NetAddr => ({ transport: TCP, hostname: "127.0.0.1", port });

/** A connection that says nothing. */
class Silent implements Transport {
  readonly kind = "stream";
  readonly localAddr = addr(1);
  readonly remoteAddr: NetAddr;
  readonly raw = undefined;
  declare readonly handshake?: () => Promise<void>;
  readonly sent: string[] = [];
  isEnded = false;
  readonly #end = Promise.withResolvers<"end">();

  constructor(port: number, handshake?: () => Promise<void>) {
    this.remoteAddr = addr(port);
    if (handshake !== undefined) this.handshake = handshake;
  }

  pull(): Promise<"end"> {
    return this.#end.promise;
  }

  send(data: Uint8Array): Promise<number> {
    this.sent.push(new TextDecoder().decode(data));
    return Promise.resolve(data.length);
  }

  close(): Promise<void> {
    this.abort();
    return Promise.resolve();
  }

  abort(): void {
    this.isEnded = true;
    this.#end.resolve("end");
  }
}

/** So many turns of the queue of promise reactions. */
async function moments(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}

/** A server to which a test brings the connections. */
function serving(conf: Partial<NetConf> = {}) {
  let next = Promise.withResolvers<Transport | null>();
  const acceptor: Acceptor = {
    localAddr: addr(1),
    raw: undefined,
    accept: async () => {
      const transport = await next.promise;
      next = Promise.withResolvers();
      return transport;
    },
    close: () => {
      next.resolve(null);
      return Promise.resolve();
    },
  };
  const errors: unknown[] = [];
  const server = new ListenPipe(acceptor, {
    proto: TCP,
    route: undefined,
    conf: { ...NET_CONF, ...conf, onError: (error) => void errors.push(error) },
    tls: undefined,
  });
  server.start();
  const bring = async (transport: Transport) => {
    next.resolve(transport);
    await turns(2);
  };
  return { server, bring, errors };
}

Deno.test("admission: of clients with one address the others are found when the first has gone", async () => {
  const { server, bring } = serving();
  const transports = [new Silent(7), new Silent(7), new Silent(7)];
  for (const transport of transports) await bring(transport);
  const [first, second, third] = [...server.clients];
  await server.send("to the first", addr(7));
  await second?.close();
  await first?.close();
  await server.send("to the third", ["127.0.0.1", 7]);
  assertEquals(transports.map(({ sent }) => sent), [["to the first"], [], ["to the third"]]);
  await third?.close();
  await assertRejects(() => server.send("", addr(7)), PipeClosedError, "not connected");
  await bring(new Silent(7));
  assertEquals(await server.send("again", addr(7)), 5);
  await server.close();
});

Deno.test("admission: a handshake that ends as it is pushed out does not get in", async () => {
  for (let later = 0; later < 16; later++) {
    const { server, bring, errors } = serving({ maxClients: 1 });
    const first = Promise.withResolvers<void>(), second = Promise.withResolvers<void>();
    const transports = [new Silent(7, () => first.promise), new Silent(8, () => second.promise)];
    await bring(transports[0]!);
    first.resolve();
    await moments(later);
    await bring(transports[1]!);
    second.resolve();
    await turns(2);
    assertEquals(server.clients.size, 1);
    assertEquals(transports.filter(({ isEnded }) => isEnded).length, 1);
    const { refused, tlsFailed } = server.stats;
    assertEquals([refused + tlsFailed, errors.length], [1, tlsFailed]);
    await server.close();
  }
});

Deno.test("admission: a handshake that ends as the server is aborted or closed leaves nothing open", async () => {
  for (const end of ["abort", "close"] as const) {
    for (let later = 0; later < 16; later++) {
      const { server, bring } = serving();
      const handshake = Promise.withResolvers<void>();
      const transport = new Silent(7, () => handshake.promise);
      await bring(transport);
      handshake.resolve();
      await moments(later);
      server[end]();
      await server.closed;
      await turns(2);
      assertEquals([server.clients.size, transport.isEnded], [0, true], `${end} after ${later}`);
    }
  }
});

Deno.test("admission: closing waits for handshakes that were pushed out, too", async () => {
  const ends = [1, 2].map(() => Promise.withResolvers<Transport>());
  const handshakes = new Handshakes({
    run: (transport) => ends[transport.remoteAddr?.port ?? 0]!.promise,
    done: () => {},
    failed: () => {},
  });
  for (const port of [0, 1]) handshakes.add(new Silent(port), 1);
  let isClosed = false;
  const closed = handshakes.close().then(() => isClosed = true);
  ends[1]?.reject(new Error("aborted"));
  await turns(3);
  assertEquals(isClosed, false);
  ends[0]?.reject(new Error("aborted"));
  await closed;
});
