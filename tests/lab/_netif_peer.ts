/**
 * The host with several network cards of netif_lab.ts: does what it is told, line by line, each line a
 * JSON array of a word and its arguments, and answers each with a line of JSON.
 *
 * @module
 */
import {
  Interface,
  type Pipe,
  pipeOpen,
  type PipeOptions,
  type Proto,
  type Route,
  RoutePool,
} from "@p2pd/pipes";
import { Daemon } from "../../lib/netif/daemon.ts";

/** The local side: a card, a route of one, several routes, or a literal address. */
type Local =
  | { readonly nic: string }
  | { readonly ip: string }
  | { readonly pool: readonly string[] }
  | { readonly literal: string };

function routeOf(local: Local): NonNullable<PipeOptions["route"]> {
  if ("nic" in local) return Interface.get(local.nic);
  if ("literal" in local) return local.literal;
  if ("pool" in local) return new RoutePool(local.pool.map((ip) => routeWith(ip)));
  return routeWith(local.ip);
}

/** The route of the card that has the address, bound to it. */
function routeWith(ip: string): Route {
  const card = Interface.get(ip);
  const family = ip.includes(":") ? "IPv6" : "IPv4";
  for (const route of card.routes(family)) {
    if (route.nicIps.some((nicIp) => nicIp.includes(ip))) return route.bind({ ip });
  }
  throw new RangeError(`no route has ${ip}`);
}

const pipes = new Map<string, Pipe>();
const daemon = new Daemon({ msgCb: (msg, from, pipe) => pipe.send(msg, from) });

const WORDS: Record<string, (...args: never[]) => Promise<unknown>> = {
  /** What the other host answers. */
  async ask(proto: Proto, dest: string, local: Local, conf: PipeOptions["conf"]) {
    await using pipe = await pipeOpen(proto, { dest, route: routeOf(local), conf });
    const [reply] = await pipe.request("who am I?");
    return [new TextDecoder().decode(reply), pipe.localAddr.hostname];
  },
  /** Sends without a peer. */
  async tell(dest: string, local: Local, conf: PipeOptions["conf"]) {
    await using pipe = await pipeOpen("udp", { route: routeOf(local), conf });
    return await pipe.send(`from ${pipe.localAddr.hostname}`, dest);
  },
  /** Keeps a pipe open: a server, or, with a `dest`, a client. */
  async open(name: string, proto: Proto, local: Local, options: PipeOptions) {
    const pipe = await pipeOpen(proto, { ...options, route: routeOf(local) });
    pipes.set(name, pipe);
    return pipe.localAddr;
  },
  /** Has a pipe echo. */
  echo(name: string) {
    pipes.get(name)?.addMsgCb((msg, from, pipe) => pipe.send(msg, from));
    return Promise.resolve();
  },
  async close(name: string) {
    await pipes.get(name)?.close();
  },
  /** How a pipe ended, and how long that took from now on. */
  async closed(name: string) {
    const start = performance.now();
    const { by, error } = await pipes.get(name)?.closed ?? { by: "never opened" };
    return [by, String(error), performance.now() - start];
  },
  /** Listens at the local addresses of all cards. */
  async listenLocal(proto: readonly Proto[]) {
    const { pipes } = await daemon.listenLocal(proto, 0, Interface.list());
    return pipes.map((pipe) => [pipe.proto, pipe.localAddr.hostname, pipe.localAddr.port]);
  },
  /** Whether a pipe is open, a moment from now. */
  async isOpen(name: string) {
    const later = new Promise((resolve) => setTimeout(resolve, 100, true));
    return await Promise.race([later, pipes.get(name)?.closed.then(() => false)]);
  },
  /** Where the daemon listens, a moment from now. */
  async listening(proto: Proto) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return [...daemon.pipes].filter((pipe) => pipe.proto === proto)
      .map(({ localAddr }) => localAddr.hostname);
  },
  /** The next message. */
  async heard(name: string) {
    const message = await pipes.get(name)?.recvFrom(undefined, { timeout: 10_000 });
    return message && [new TextDecoder().decode(message[0]), message[1].hostname];
  },
};

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
let held = "";
console.log("ready");
for await (const chunk of lines) {
  const parts = (held + chunk).split("\n");
  held = parts.pop() ?? "";
  for (const line of parts) {
    const [word, ...args] = JSON.parse(line);
    try {
      const value = await WORDS[word]?.(...args as never[]);
      console.log(JSON.stringify({ value }));
    } catch (error) {
      const { name, message, cause, phase } = error instanceof Error
        ? {
          phase: undefined,
          ...error,
          name: error.name,
          message: error.message,
          cause: error.cause,
        }
        : { name: "", message: String(error), cause: undefined, phase: undefined };
      const causes = cause instanceof AggregateError ? cause.errors.map(String) : [];
      console.log(JSON.stringify({ error: { name, message, phase, causes } }));
    }
  }
}
await daemon.close();
for (const pipe of pipes.values()) pipe.abort();
