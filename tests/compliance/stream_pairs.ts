/** Pairs of web streams with a listener, which they have none of, so that the suite can be run over them. */
import { addrKey } from "../../lib/net/address.ts";
import type { NetAddr } from "../../lib/pipe/types.ts";
import type { StreamPair } from "../../lib/pipe/pipe_options.ts";
import { AcceptQueue } from "../../lib/transport/accept_queue.ts";
import { TransportError } from "../../lib/transport/error.ts";
import type { Acceptor, Driver, Transport } from "../../lib/transport/transport.ts";
import { StreamsTransport } from "../../lib/transport/web_streams.ts";

const WINDOW = 64 * 1024;

/** Two ends of a connection made of identity transforms, which hold so much as a socket does. */
export function transformPairs(): [StreamPair, StreamPair] {
  const way = () =>
    new TransformStream<Uint8Array, Uint8Array>({}, undefined, {
      highWaterMark: WINDOW,
      size: ({ length }) => length,
    });
  const there = way(), back = way();
  return [
    { readable: back.readable, writable: there.writable },
    { readable: there.readable, writable: back.writable },
  ];
}

class PairAcceptor implements Acceptor {
  readonly localAddr: NetAddr;
  readonly raw = undefined;
  readonly queue = new AcceptQueue(9);
  readonly #onClose: () => void;

  constructor(localAddr: NetAddr, onClose: () => void) {
    this.localAddr = localAddr;
    this.#onClose = onClose;
  }

  accept(): Promise<Transport | null> {
    return this.queue.accept();
  }

  close(): Promise<void> {
    this.#onClose();
    this.queue.close();
    return Promise.resolve();
  }
}

/** Connections of transform streams. */
export function transformStreams(): Driver {
  const listening = new Map<string, PairAcceptor>();
  let lastPort = 1000;
  const fail = (error: Error) => new TransportError("failed", error);
  return {
    name: "transform streams",
    async connect(to, _from, { signal }) {
      signal.throwIfAborted();
      const acceptor = listening.get(addrKey(to.hostname, to.port));
      if (acceptor === undefined) throw fail(new Deno.errors.ConnectionRefused("refused"));
      const [own, peer] = transformPairs();
      acceptor.queue.push(new StreamsTransport(own));
      await Promise.resolve();
      signal.throwIfAborted();
      return new StreamsTransport(peer);
    },
    // deno-lint-ignore require-await -- what it throws is a rejection
    async listen(at, { signal }) {
      signal.throwIfAborted();
      const localAddr = { ...at, port: at.port === 0 ? ++lastPort : at.port };
      const key = addrKey(localAddr.hostname, localAddr.port);
      if (listening.has(key)) throw fail(new Deno.errors.AddrInUse("address in use"));
      const acceptor = new PairAcceptor(localAddr, () => listening.delete(key));
      listening.set(key, acceptor);
      return acceptor;
    },
  };
}

/** A transport as web streams, as platforms make them of a socket: both ends, or an error, free it. */
function streamsOf(transport: Transport): StreamPair {
  let ends = 0;
  const end = async () => {
    if (++ends === 2) await transport.close();
  };
  let failure: { readonly error: unknown } | undefined;
  const lost = (error: unknown): never => {
    failure ??= { error };
    transport.abort();
    throw failure.error; // the first one tells why
  };
  return {
    readable: new ReadableStream({
      async pull(controller) {
        const how = await transport.pull((chunk) => {
          controller.enqueue(chunk);
          return false;
        }).catch(lost);
        if (how === "paused") return;
        if (failure !== undefined) throw failure.error;
        controller.close();
        await end();
      },
      cancel: () => transport.abort(),
    }, { highWaterMark: 0 }),
    writable: new WritableStream({
      write: async (chunk) => void await transport.send(chunk).catch(lost),
      async close() {
        await transport.closeWrite?.().catch(lost);
        await end();
      },
      abort: () => transport.abort(),
    }),
  };
}

/** The streams of another driver's connections. */
export function socketStreams(under: Driver): Driver {
  const over = (transport: Transport) => new StreamsTransport(streamsOf(transport));
  return {
    name: `streams of ${under.name}`,
    connect: async (to, from, options) => over(await under.connect(to, from, options)),
    async listen(at, options) {
      const acceptor = await under.listen(at, options);
      if (!("accept" in acceptor)) throw new Error("not a stream");
      return {
        localAddr: acceptor.localAddr,
        raw: acceptor.raw,
        async accept() {
          const transport = await acceptor.accept();
          return transport && over(transport);
        },
        close: () => acceptor.close(),
      };
    },
  };
}
