import { PipeError, PipeOpenError } from "../errors.ts";
import { addrKey } from "../net/address.ts";
import { checkFamily } from "../net/ip_span.ts";
import { show } from "../net/show.ts";
import { Interface } from "../netif/interface.ts";
import { Route } from "../netif/route.ts";
import { RoutePool } from "../netif/route_pool.ts";
import { pipeOpen } from "../pipe/open.ts";
import type { Dest, Family, NetAddr } from "../pipe/types.ts";
import { askServer, familyOf } from "./ask.ts";
import { StunClient } from "./client.ts";
import {
  checkOptions,
  checkTls,
  contextOf,
  nameOf,
  overOwnPipe,
  type StunOptions,
} from "./get_mapping.ts";
import type { Mapping } from "./mapping.ts";
import { parseServer, protoOf, type StunServerName } from "./uri.ts";

/** Options of {@linkcode getMappings}. */
export interface GetMappingsOptions extends StunOptions {
  /** Whom to ask, all at once; see {@linkcode GetMappingOptions.server}. */
  readonly servers: readonly StunServerName[];
  /** Which addresses to ask about. @default {that of the route, else "IPv4"} */
  readonly family?: Family | undefined;
}

/** A server that gave no answer. */
export interface StunFailure {
  /** The server, as it was named. */
  readonly server: StunServerName;
  /** Why there is none. */
  readonly error: Error;
}

/** What several servers said. */
export interface Mappings {
  /** The external address that more than half of the answers have; undefined if none has. */
  readonly hostname: string | undefined;
  /** The same with the port: undefined also where a NAT has another port for each server. */
  readonly mapped: NetAddr | undefined;
  /** Whether all answers have the same address and port. */
  readonly unanimous: boolean;
  /** What each server said, in the order in which they were named. */
  readonly answers: readonly Mapping[];
  /** The servers without an answer. They have no vote. */
  readonly failures: readonly StunFailure[];
}

/**
 * Asks several servers at once, over UDP from one socket, and takes the majority of the answers. Who is
 * silent, or refuses, has no vote, and neither has a second answer of the same server.
 *
 * @param options Whom, how, and from where.
 * @returns What the majority says, and what everybody said.
 * @throws {TypeError} If an option is of a wrong kind. Nothing was sent.
 * @throws {RangeError} If a number is out of its range. Nothing was sent.
 * @throws {PipeError} If no server answered: the error of the only one, or one whose cause has them all.
 *
 * @example
 * ```ts
 * import { getMappings } from "@p2pd/pipes/stun";
 * import { serveStun } from "@p2pd/pipes/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using one = await serveStun();
 * await using two = await serveStun();
 * await using liar = await serveStun({ mapped: () => ({ hostname: "192.0.2.1", port: 9 }) });
 * const servers = [one.addr, two.addr, liar.addr];
 * const { hostname, unanimous } = await getMappings({ servers, route: "127.0.0.1:0" });
 * assertEquals([hostname, unanimous], ["127.0.0.1", false]);
 * ```
 */
export async function getMappings(options: GetMappingsOptions): Promise<Mappings> {
  const { servers, ...common } = options;
  checkOptions(options, "servers", "family");
  if (!Array.isArray(servers) || servers.length === 0) {
    throw new TypeError(`servers: a list of servers is needed, got ${show(servers)}`);
  }
  const named = servers.map((server: StunServerName, i) => ({
    server,
    parsed: parseServer(server, `servers[${i}]`),
  }));
  const family = options.family ?? familyOf(options.route) ?? "IPv4";
  checkFamily(family, "family");
  const plans = named.map(({ server, parsed }) => {
    const proto = protoOf(parsed, options.proto, "proto");
    checkTls(parsed, options.conf, "servers");
    return { server, parsed, context: contextOf(common, proto, family) };
  });
  options.signal?.throwIfAborted();
  await using socket = new SharedSocket(options, family);
  const results = await Promise.allSettled(plans.map(({ parsed, context }) => {
    const one = context.proto === "udp"
      ? async (to: NetAddr) =>
        await (await socket.client()).getMapping({ server: to, signal: options.signal })
      : overOwnPipe(options, parsed.scheme === "stuns");
    return askServer(parsed, one, context);
  }));
  options.signal?.throwIfAborted();
  const { answers, failures } = sorted(results, plans);
  if (answers.length === 0) throw noAnswer(failures);
  return { ...count(answers), answers, failures };
}

/** What more than half of them say. */
function count(answers: readonly Mapping[]) {
  const votes = new Map(answers.map(({ server, mapped }) => [
    addrKey(server.hostname, server.port),
    mapped,
  ]));
  const majority = (textOf: (addr: NetAddr) => string) => {
    const groups = Map.groupBy(votes.values(), textOf);
    return [...groups.values()].find(({ length }) => length > votes.size / 2)?.[0];
  };
  const mapped = majority(({ hostname, port }) => addrKey(hostname, port));
  const texts = new Set(answers.map(({ mapped: { hostname, port } }) => addrKey(hostname, port)));
  const hostname = majority((addr) => addr.hostname)?.hostname;
  return { hostname, mapped, unanimous: texts.size === 1 };
}

/** The error where nobody answered: the only one, or one that has them all. */
export function noAnswer(failures: readonly StunFailure[]): Error {
  const [first, ...more] = failures;
  if (first !== undefined && more.length === 0) return first.error;
  const names = failures.slice(0, 4).map(({ server }) => nameOf(server)).join(", ");
  const list = failures.length > 4 ? `${names}, …` : names;
  const cause = new AggregateError(failures.map(({ error }) => error), "no server answered");
  return new PipeError(`Cannot learn the external address: no answer from ${list}`, { cause });
}

/** The socket from which all servers are asked, opened when the first one is. */
class SharedSocket implements AsyncDisposable {
  readonly #options: StunOptions;
  readonly #family: Family;
  #client: Promise<StunClient> | undefined;

  constructor(options: StunOptions, family: Family) {
    this.#options = options;
    this.#family = family;
  }

  client(): Promise<StunClient> {
    return this.#client ??= this.#open();
  }

  async #open(): Promise<StunClient> {
    const { credentials, timing, conf, signal } = this.#options;
    const route = oneRoute(this.#options.route, this.#family);
    const pipe = await pipeOpen("udp", { route, conf, signal });
    return new StunClient(pipe, { credentials, timing });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    client?.close();
    await client?.pipe.close();
  }
}

/** A route of the family, for a socket without a peer. */
export function oneRoute(route: StunOptions["route"], family: Family): Dest {
  if (route === undefined) return Route.any(family);
  const routes = route instanceof Interface
    ? route.supported().includes(family) ? [route.route(family)] : []
    : route instanceof RoutePool
    ? route.routes.filter((one) => one.family === family)
    : [route];
  const [found] = routes;
  if (found !== undefined) return found;
  throw new PipeOpenError(`Cannot ask over ${family}: the route has no such address`, {
    phase: "bind",
  });
}

/**
 * What servers answered, and why others did not.
 *
 * @param results One for each of `asked`, in its order.
 * @throws {TypeError} When the call was wrong, and no server is to blame.
 * @throws {RangeError} Likewise.
 */
export function sorted(
  results: readonly PromiseSettledResult<Mapping>[],
  asked: readonly { readonly server: StunServerName }[],
): { readonly answers: Mapping[]; readonly failures: StunFailure[] } {
  const answers: Mapping[] = [], failures: StunFailure[] = [];
  for (const [i, result] of results.entries()) {
    if (result.status === "fulfilled") {
      answers.push(result.value);
      continue;
    }
    const reason: unknown = result.reason;
    if (reason instanceof TypeError || reason instanceof RangeError) throw reason;
    const error = reason instanceof Error ? reason : new Error(String(reason));
    failures.push({ server: asked[i]?.server ?? "", error });
  }
  return { answers, failures };
}
