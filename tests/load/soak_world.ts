/** What all kinds of mixed traffic share: the servers, and the count of what was done. */
import {
  type NetAddr,
  type NetConf,
  type Pipe,
  PipeClosedError,
  pipeOpen,
  PipeStateError,
  type ServerPipe,
  TCP,
  UDP,
} from "@p2pd/pipes";
import { Random } from "../helpers/random.ts";
import { Tape } from "./tape.ts";

/** A kind of traffic: does its work once, and checks what comes of it. */
export type Traffic = (world: World) => Promise<void>;

/** Loopback addresses to connect to: each has ports of its own. */
const HOSTS = 8;
const everywhere = "0.0.0.0:0";
/** What only node:net can do, which makes a server one of node:net. */
const byNode = { linger: 2000 };

/** TCP servers that send back what they get, each in another way; and one that resets. */
export type TcpServer = "handler" | "node" | "loop" | "accept" | "relay" | "rude";

/** The servers that the traffic goes to. */
export class World {
  readonly random = new Random(1);
  /** How often each thing was done. */
  readonly counts: Record<string, number> = {};
  /** Fails when a handler does. */
  readonly failure: Promise<never>;
  readonly #servers = new Map<TcpServer | "udp", Pipe>();
  readonly #fail: (error: unknown) => void;
  #made = 0;
  #collected = 0;
  readonly #registry = new FinalizationRegistry<undefined>(() => this.#collected++);

  private constructor() {
    const { promise, reject } = Promise.withResolvers<never>();
    this.failure = promise;
    this.#fail = reject;
  }

  /** Starts all servers. */
  static async start(): Promise<World> {
    const world = new World();
    await world.#serve();
    return world;
  }

  /** Pipes that were made and that the garbage collector has not taken. */
  get pipes(): number {
    return this.#made - this.#collected;
  }

  /** Connections that the servers have open. */
  get connections(): number {
    let sum = 0;
    for (const server of this.#servers.values()) {
      if ("clients" in server) sum += sizeOf(server.clients);
    }
    return sum;
  }

  /** Counts something. */
  count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by;
  }

  /** One of several. */
  pick<T>(first: T, ...rest: readonly T[]): T {
    return [first, ...rest][this.random.below(rest.length + 1)] ?? first;
  }

  /** Bytes to send. */
  tape(): Tape {
    return new Tape(this.random.below(2 ** 30));
  }

  /** A client of a server: of Deno's own TCP, or of node:net, which can send a reset. */
  async connect(to: TcpServer, by: "deno" | "node" = this.pick("deno", "node")): Promise<Pipe> {
    const hostname = this.#host();
    this.count(`clients of ${to}`);
    return this.track(
      await pipeOpen(TCP, {
        dest: [hostname, this.#port(to)],
        ...(by === "node" ? { route: [hostname, 0] } : {}),
        conf: { ...this.conf, conTimeout: 20_000 },
      }),
    );
  }

  /** A client of the UDP server. */
  async connectUdp(): Promise<Pipe> {
    this.count("clients of udp");
    const dest: [string, number] = ["127.0.0.1", this.#port("udp")];
    return this.track(await pipeOpen(UDP, { dest, conf: this.conf }));
  }

  /** A UDP pipe without a peer, and where the UDP server is. */
  async openUdp(): Promise<[Pipe, dest: [string, number]]> {
    const pipe = this.track(await pipeOpen(UDP, { route: "127.0.0.1:0", conf: this.conf }));
    return [pipe, ["127.0.0.1", this.#port("udp")]];
  }

  /** A TCP server of its own, which sends back what it gets. */
  async listen(): Promise<ServerPipe> {
    this.count("servers");
    return this.track(await pipeOpen(TCP, { route: "127.0.0.1:0", msgCb: echo, conf: this.conf }));
  }

  /** Watches whether the garbage collector takes it. */
  track<P extends Pipe>(pipe: P): P {
    this.#made++;
    this.#registry.register(pipe, undefined);
    return pipe;
  }

  /** An answer may come too late for one who has left; nothing else may happen to a handler. */
  readonly #onError = (error: unknown): void => {
    if (error instanceof PipeClosedError) this.count("answers that came too late");
    else this.#fail(error);
  };

  /** What every pipe is opened with. */
  readonly conf: Partial<NetConf> = { onError: this.#onError };

  /** Closes all servers. */
  async close(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
  }

  #host(): string {
    return `127.0.0.${1 + this.random.below(HOSTS)}`;
  }

  #port(server: TcpServer | "udp"): number {
    return this.#servers.get(server)?.localAddr.port ?? NaN;
  }

  async #serve(): Promise<void> {
    const listen = async (name: TcpServer, conf: Partial<NetConf> = {}) => {
      const server = await pipeOpen(TCP, { route: everywhere, conf: { ...this.conf, ...conf } });
      this.#servers.set(name, server);
      server.addUpCb((_, _from, pipe) => void this.track(pipe));
      return server;
    };
    (await listen("handler")).addMsgCb(echo);
    (await listen("node", byNode)).addMsgCb(echo);
    (await listen("rude", byNode)).addMsgCb((_, _from, pipe) => pipe.abort());
    this.#echoAll(await listen("loop"));
    this.#echoEach(await listen("accept"));
    (await listen("relay")).addUpCb(async (_, _from, pipe) => {
      const target = await this.connect("handler");
      try {
        pipe.addPipe(target);
        target.addPipe(pipe);
      } catch (error) {
        target.abort();
        if (!(error instanceof PipeStateError)) throw error; // it has left meanwhile
      }
    });
    const udp = await pipeOpen(UDP, { route: everywhere, msgCb: echo, conf: this.conf });
    this.#servers.set("udp", udp);
  }

  async #echoAll(server: Pipe): Promise<void> {
    for await (const [msg, from] of server) {
      await server.send(msg, from).catch(this.#onError);
    }
  }

  async #echoEach(server: ServerPipe): Promise<void> {
    for await (const pipe of server.connections()) {
      this.#echoOne(pipe).catch(this.#fail);
    }
  }

  async #echoOne(pipe: Pipe): Promise<void> {
    try {
      for (let msg; (msg = await pipe.recv(undefined, { timeout: Infinity })) !== null;) {
        await pipe.send(msg);
      }
    } catch (error) {
      if (!(error instanceof PipeClosedError)) throw error;
    }
    await pipe.close();
  }
}

function echo(msg: Uint8Array, from: NetAddr, pipe: Pipe): Promise<number> {
  return pipe.send(msg, from);
}

function sizeOf(clients: unknown): number {
  return clients instanceof Set ? clients.size : 0;
}
