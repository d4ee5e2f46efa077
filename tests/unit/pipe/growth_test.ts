/**
 * How cost grows with the number of connections, subscriptions and links: never faster than what there
 * is to do. Over transports in memory, so that what is measured is the library alone; the bounds are
 * far above what is measured, and far below what one scan of everything would cost.
 */
import { assert, assertEquals } from "@std/assert";
import { type Dest, type MsgCb, NET_CONF, type NetAddr, type Pipe, TCP, UDP } from "@p2pd/pipes";
import { ConnPipe } from "../../../lib/pipe/pipe.ts";
import { ListenPipe } from "../../../lib/pipe/server.ts";
import { memoryStreams } from "../../../lib/transport/memory.ts";
import type { SendReport, Sink, Transport } from "../../../lib/transport/transport.ts";
import { latch, until } from "../../helpers/pipes.ts";

/** How many times as much one of many may cost as one of few. */
const MOST = 4;
const ROUNDS = 9;

/** Microseconds that one of `count` takes, in the best of some rounds: others use this machine too. */
async function cost(count: number, round: () => void | Promise<void>): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < ROUNDS; i++) {
    const start = performance.now();
    await round();
    best = Math.min(best, performance.now() - start);
  }
  return best / count * 1000;
}

function assertLevel(few: number, many: number, what: string): void {
  const figures = `${few.toFixed(2)} µs with few, ${many.toFixed(2)} µs with many`;
  assert(many < few * MOST, `${what}: ${figures}`);
}

const message = new Uint8Array(64);
const conf = NET_CONF;
const { signal } = new AbortController();
const addr = (port: number, hostname = "127.0.0.1"): NetAddr => ({
  transport: "tcp",
  hostname,
  port,
});

/** A server, and connections to it. */
class Crowd implements AsyncDisposable {
  /** How many of the connections send. */
  static readonly talkers = 10;
  readonly server: ListenPipe;
  readonly #driver = memoryStreams();
  readonly #clients: Transport[] = [];
  #answered = () => {};
  /** What the server does with each message: sends it back in some way. */
  answer: MsgCb = () => {};

  private constructor(server: ListenPipe, driver: ReturnType<typeof memoryStreams>) {
    this.server = server;
    this.#driver = driver;
  }

  static async gather(count: number): Promise<Crowd> {
    const driver = memoryStreams();
    const acceptor = await driver.listen(addr(1), { conf, signal });
    if (!("accept" in acceptor)) throw new TypeError("a listener of streams accepts");
    const server = new ListenPipe(acceptor, { proto: TCP, route: undefined, conf });
    const crowd = new Crowd(server, driver);
    server.addMsgCb((...message) => crowd.answer(...message));
    server.start();
    for (let i = 0; i < count; i++) await crowd.#join();
    await until(() => server.clients.size === count, "all are there");
    return crowd;
  }

  /** Microseconds for a message and its answer, by the connections that came last. */
  async cost(messages = 500): Promise<number> {
    const talkers = this.#clients.slice(-Crowd.talkers);
    return await cost(messages, async () => {
      for (let i = 0; i < messages; i++) {
        const { done, open } = latch();
        this.#answered = open;
        await talkers[i % talkers.length]?.send(message);
        await done;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.server.close(), ...this.#clients.map((client) => client.close())]);
  }

  async #join(): Promise<void> {
    const client = await this.#driver.connect(addr(1), undefined, { conf, signal });
    this.#clients.push(client);
    void client.pull(() => {
      this.#answered();
      return true;
    });
  }
}

/** The ways to name whom a server answers. */
const ANSWERS: readonly [string, (server: Pipe) => MsgCb][] = [
  ["the connection itself", () => (msg, _from, pipe) => pipe.send(msg)],
  ["the sender", (server) => (msg, from) => server.send(msg, from)],
  [
    "an address",
    (server) => (msg, { hostname, port }) => server.send(msg, [hostname, port]),
  ],
];

Deno.test("growth: a message costs the same with 10 and 10,000 connections", async () => {
  await using few = await Crowd.gather(Crowd.talkers);
  await using many = await Crowd.gather(10_000);
  for (const [whom, answer] of ANSWERS) {
    for (const crowd of [few, many]) crowd.answer = answer(crowd.server);
    assertLevel(await few.cost(), await many.cost(), `an answer to ${whom}`);
  }
});

/** A datagram socket whose messages a test makes up. */
class Mouth implements Transport {
  readonly kind = "datagram";
  readonly localAddr = addr(1);
  readonly raw = undefined;
  #sink: Sink = () => false;
  readonly #ended = latch<"end">();

  pull(sink: Sink): Promise<"end"> {
    this.#sink = sink;
    return this.#ended.done;
  }

  /** Something arrives. */
  say(from: NetAddr): void {
    this.#sink(message, from);
  }

  send({ length }: Uint8Array, _to?: NetAddr, report?: SendReport): Promise<number> {
    report?.sent(length);
    return Promise.resolve(length);
  }

  close(): Promise<void> {
    this.abort();
    return Promise.resolve();
  }

  abort(): void {
    this.#ended.open("end");
  }
}

/** Subscribes to one peer, and tells how many messages came by that. */
type Subscribe = (pipe: Pipe, from: Dest) => () => number;

const SUBSCRIBE: readonly [string, Subscribe][] = [
  ["a queue", (pipe, from) => {
    const sub = pipe.subscribe({ from });
    return () => sub.size + sub.dropped;
  }],
  ["a handler", (pipe, from) => {
    let seen = 0;
    pipe.subscribe({ from }, () => void seen++);
    return () => seen;
  }],
];

for (const [what, subscribe] of SUBSCRIBE) {
  Deno.test(`growth: a message costs the same with 1 and 1,000 peers that have ${what} each`, async () => {
    const measure = async (count: number): Promise<number> => {
      const mouth = new Mouth();
      const bounds = { ...conf, maxQsize: 16 };
      await using pipe = new ConnPipe(mouth, {
        ...{ proto: UDP, role: "server", route: undefined },
        conf: bounds,
      });
      pipe.start();
      const last = addr(9, "192.0.2.2");
      for (let i = 1; i < count; i++) subscribe(pipe, addr(i, "192.0.2.1"));
      const seen = subscribe(pipe, last);
      const messages = 1000;
      const each = await cost(messages, () => {
        for (let i = 0; i < messages; i++) mouth.say(last);
      });
      assertEquals(seen(), ROUNDS * messages);
      return each;
    };
    assertLevel(await measure(1), await measure(1000), "a message");
  });
}

/** A connection that counts what it is to send. */
class Counter extends Mouth {
  readonly remoteAddr = addr(2);
  sends = 0;

  override send(data: Uint8Array, to?: NetAddr, report?: SendReport): Promise<number> {
    this.sends++;
    return super.send(data, to, report);
  }
}

Deno.test("growth: n linked pipes cost n sends, each as much as the one of a single pipe", async () => {
  const measure = async (count: number): Promise<number> => {
    const connect = () => {
      const transport = new Counter();
      const pipe = new ConnPipe(transport, { proto: UDP, role: "client", route: undefined, conf });
      pipe.start();
      return { transport, pipe };
    };
    const source = connect();
    const targets = Array.from({ length: count }, connect);
    for (const { pipe } of targets) source.pipe.addPipe(pipe);
    const messages = Math.ceil(2000 / count);
    const each = await cost(messages * count, async () => {
      for (let i = 0; i < messages; i++) {
        source.transport.say(source.transport.remoteAddr);
        while (!source.pipe.flow.idle) await undefined;
      }
    });
    for (const { transport } of targets) assertEquals(transport.sends, ROUNDS * messages);
    await Promise.all([source, ...targets].map(({ pipe }) => pipe.close()));
    return each;
  };
  assertLevel(await measure(1), await measure(1000), "a send");
});
