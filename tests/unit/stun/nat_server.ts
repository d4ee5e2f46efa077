/**
 * A STUN server of RFC 5780 that behaves as if a NAT, and a bad line, were between it and who asks: it
 * tells external addresses that a NAT would give, says nothing that a NAT would not let in, and loses
 * what is lost.
 *
 * @module
 */
import { type NetAddr, type Pipe, pipeOpen, UDP } from "@p2pd/pipes";
import { ATTRIBUTES, type NatDependence, StunMessage } from "@p2pd/pipes/stun";
import { Random } from "../../helpers/random.ts";

/** What is between. */
export interface NatOptions {
  /** How external addresses are chosen; none: there is no NAT. */
  readonly mapping?: NatDependence | undefined;
  /** What comes in. @default {everything} */
  readonly filtering?: NatDependence | undefined;
  /** The step between external ports; 0: they are random. @default {0} */
  readonly step?: number;
  /**
   * Lets in everything to one local port, as after another program that had it before: that of the
   * socket of this number, by when they first send.
   */
  readonly stale?: number;
  /** Milliseconds after which a mapping is gone that nothing was sent through. @default {Infinity} */
  readonly lifetime?: number;
  /** Of a hundred packets, how many are lost, in either direction. @default {0} */
  readonly loss?: number;
  /** Changes what is answered; undefined: nothing is. */
  readonly tamper?: (reply: Reply) => Reply | undefined;
}

/** An answer under way. */
export interface Reply {
  readonly request: StunMessage;
  readonly message: StunMessage;
  /** Which socket it leaves by: 0 and 1 are the ports of the first address, 2 and 3 of the second. */
  readonly from: number;
  /** Which one was asked. */
  readonly asked: number;
  readonly to: NetAddr;
}

/** The external address of everybody. It is nobody's here. */
export const OUTSIDE = "192.0.2.33";

/** What of an address and port a NAT looks at. */
function part(dependence: NatDependence, { hostname, port }: NetAddr): string {
  if (dependence === "endpoint-independent") return "";
  return dependence === "address-dependent" ? hostname : `${hostname} ${port}`;
}

/** The server. */
export class NatServer implements AsyncDisposable {
  readonly #options: NatOptions;
  readonly #random = new Random(5);
  readonly #ports = new Map<string, number>();
  readonly #sentTo = new Set<string>();
  readonly #lastSent = new Map<number, number>();
  #pipes: readonly Pipe[] = [];
  #next = 20_000;
  requests = 0;

  private constructor(options: NatOptions) {
    this.#options = options;
  }

  /** Listens at two ports of each of two addresses. */
  static async open(options: NatOptions): Promise<NatServer> {
    const server = new NatServer(options);
    for (let attempt = 1; !await server.#listen(); attempt++) {
      await server[Symbol.asyncDispose]();
      if (attempt === 20) throw new Error("no two ports are free at both addresses");
    }
    for (const [at, pipe] of server.#pipes.entries()) {
      pipe.addMsgCb((msg, from) => server.#hear(msg, from, at));
    }
    return server;
  }

  async #listen(): Promise<boolean> {
    const open = (host: string, ports: readonly number[]) =>
      Promise.allSettled(ports.map((port) => pipeOpen(UDP, { route: [host, port] })));
    const pipes: Pipe[] = [];
    for (const host of ["127.0.0.1", "127.0.0.2"]) {
      const ports = pipes.length === 0 ? [0, 0] : pipes.map(({ localAddr: { port } }) => port);
      const opened = await open(host, ports);
      pipes.push(...opened.flatMap((one) => one.status === "fulfilled" ? one.value : []));
    }
    this.#pipes = pipes;
    return pipes.length === 4;
  }

  /** Where to ask. */
  get addr(): NetAddr {
    return this.#addr(0);
  }

  #addr(at: number): NetAddr {
    return this.#pipes[at]?.localAddr ?? { transport: "udp", hostname: "", port: 0 };
  }

  #isLost(): boolean {
    return this.#random.below(100) < (this.#options.loss ?? 0);
  }

  #mapped(from: NetAddr, to: NetAddr): NetAddr {
    const { mapping, step = 0 } = this.#options;
    if (mapping === undefined) return from;
    const key = `${from.port} ${part(mapping, to)}`;
    const fresh = () => step === 0 ? 1024 + this.#random.below(64_000) : this.#next += step;
    const port = this.#ports.get(key) ?? fresh();
    this.#ports.set(key, port);
    return { ...from, hostname: OUTSIDE, port };
  }

  /** Who has this external port; else who asks. */
  #localOf(external: number | undefined, from: NetAddr): NetAddr {
    if (external === undefined) return from;
    const [key] = [...this.#ports].find(([, port]) => port === external) ?? [String(external)];
    return { ...from, port: Number.parseInt(key) };
  }

  #hear(msg: Uint8Array, from: NetAddr, asked: number): unknown {
    if (this.#isLost()) return;
    const request = StunMessage.decode(msg);
    if (request.class !== "request") return;
    this.requests++;
    const { filtering = "endpoint-independent", tamper = (reply: Reply) => reply } = this.#options;
    this.#sentTo.add(`${from.port} ${part(filtering, this.#addr(asked))}`);
    this.#lastSent.set(from.port, performance.now());
    const { ip = false, port = false } = request.get(ATTRIBUTES.changeRequest) ?? {};
    const message = new StunMessage({ class: "success", transactionId: request.transactionId })
      .with(ATTRIBUTES.xorMappedAddress, this.#mapped(from, this.#addr(asked)))
      .with(ATTRIBUTES.otherAddress, this.#addr(asked ^ 3));
    const right = {
      request,
      message,
      from: asked ^ (ip ? 2 : 0) ^ (port ? 1 : 0),
      asked,
      to: this.#localOf(request.get(ATTRIBUTES.responsePort), from),
    };
    const reply = tamper(right);
    if (reply === undefined || this.#isLost()) return;
    const { lifetime = Infinity } = this.#options;
    const age = performance.now() - (this.#lastSent.get(reply.to.port) ?? -Infinity);
    if (age > lifetime) return;
    const number = [...this.#lastSent.keys()].indexOf(reply.to.port);
    const isOpen = number === this.#options.stale ||
      this.#sentTo.has(`${reply.to.port} ${part(filtering, this.#addr(reply.from))}`);
    if (!isOpen) return;
    return this.#pipes[reply.from]?.send(reply.message.encode(), reply.to);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#pipes.map((pipe) => pipe.close()));
  }
}
