import { parseDest } from "../../net/address.ts";
import { checkFamily } from "../../net/ip_span.ts";
import { show } from "../../net/show.ts";
import { Interface } from "../../netif/interface.ts";
import { RoutePool } from "../../netif/route_pool.ts";
import { checkFunction, checkMs, count } from "../../pipe/checks.ts";
import type { Family } from "../../pipe/types.ts";
import { familyOf } from "../ask.ts";
import { checkOptions, contextOf, type StunOptions } from "../get_mapping.ts";
import { oneRoute } from "../get_mappings.ts";
import { parseServer, protoOf, type StunServerName } from "../uri.ts";
import { contact } from "./contact.ts";
import { blocked, Discovery } from "./discovery.ts";
import type { LifetimeOptions } from "./lifetime.ts";
import { ProbeContext } from "./probe.ts";
import { type BehaviourProgress, Progress } from "./progress.ts";
import { TimeLimit } from "./time_limit.ts";
import type { NatBehaviour } from "./types.ts";

/** Options of {@linkcode getBehaviour}. */
export interface BehaviourOptions extends Omit<StunOptions, "proto" | "timing"> {
  /**
   * Whom to ask; nobody else is asked but, of the first that names one, the other address. A server with
   * such a second address and port (RFC 5780) is enough; of others it takes two at different addresses
   * to learn the mapping, and filtering stays unknown. So it does where a server gives no answers that
   * can get through: behind a mapping for each destination that takes RESPONSE-PORT.
   */
  readonly servers: readonly StunServerName[];
  /** Which addresses it is about. @default {that of the route, else "IPv4"} */
  readonly family?: Family | undefined;
  /** Also finds out how long mappings live. @default {not searched} */
  readonly lifetime?: LifetimeOptions | undefined;
  /**
   * Milliseconds for everything but the search for the lifetime. What is not known by then stays
   * unknown. @default {30000}
   */
  readonly timeout?: number | undefined;
  /** Told how far it has come. */
  readonly onProgress?: ((progress: BehaviourProgress) => void) | undefined;
}

const TIMEOUT = 30_000;
const LEAST_LIFETIME = 1000, MOST_STEPS = 64;

function check(options: BehaviourOptions): void {
  checkOptions(options, "servers", "family", "lifetime", "timeout", "onProgress");
  for (const key of ["proto", "timing"]) {
    if (key in options) throw new TypeError(`${key}: is not for a discovery, which goes over UDP`);
  }
  const { servers, family, lifetime, timeout, onProgress, route } = options;
  if (!Array.isArray(servers) || servers.length === 0) {
    throw new TypeError(`servers: a list of servers is needed, got ${show(servers)}`);
  }
  if (family !== undefined) checkFamily(family, "family");
  if (timeout !== undefined) checkMs(timeout, "timeout");
  if (onProgress !== undefined) checkFunction(onProgress, "onProgress");
  if (lifetime !== undefined) checkLifetime(lifetime);
  if (route === undefined || route instanceof Interface || route instanceof RoutePool) return;
  const { port } = parseDest(route, "route", { literal: true });
  if (port === 0) return;
  throw new RangeError(`route: port must be 0, as it takes several sockets, got ${port}`);
}

function checkLifetime(lifetime: LifetimeOptions): void {
  if (typeof lifetime !== "object" || lifetime === null) {
    throw new TypeError(`lifetime: { max, steps? } is needed, got ${show(lifetime)}`);
  }
  const { max, steps = 1 } = lifetime;
  checkMs(max, "lifetime.max");
  if (!(max >= LEAST_LIFETIME && max <= 0x7fffffff)) {
    const most = `${LEAST_LIFETIME} to ${0x7fffffff}`;
    throw new RangeError(`lifetime.max: must be ${most} milliseconds, got ${show(max)}`);
  }
  count(1)(steps, "lifetime.steps");
  if (steps > MOST_STEPS) {
    throw new RangeError(`lifetime.steps: must be at most ${MOST_STEPS}, got ${show(steps)}`);
  }
}

/**
 * Finds out what kind of NATs and firewalls are in the way (RFC 5780), and what hole punching needs to
 * know besides. It asks over sockets of its own, some hundred small packets in one to three seconds,
 * and leaves nothing open.
 *
 * An answer is proof. Silence is none: it counts only where the same server, asked again and again at
 * the same moments, answered from where it should often enough to rule out loss; and where it gives
 * the missing answer to a socket that no filter keeps it from. With a fifth of all packets lost in
 * either direction the findings are the same, and take a little longer.
 *
 * @param options Whom to ask, from where, and what for.
 * @returns What was found out. What could not be is "unknown" or undefined, and `reasons` says why;
 * where nobody answers, everything is.
 * @throws {TypeError} If an option is of a wrong kind. Nothing was sent.
 * @throws {RangeError} If a number is out of its range. Nothing was sent.
 * @throws {PipeError} If every server refuses, or none can be looked up.
 * @throws {PipeOpenError} If no socket can be opened.
 *
 * @example
 * ```ts
 * import { classicName, getBehaviour } from "@p2pd/pipes/stun";
 * import { serveStun } from "@p2pd/pipes/testing";
 * import { assertEquals } from "@std/assert";
 *
 * // In earnest: servers: ["stun:stun.example.org"], one that speaks RFC 5780
 * await using server = await serveStun({ hosts: ["127.0.0.1", "127.0.0.2"] });
 * const found = await getBehaviour({ servers: [server.addr], route: "127.0.0.1:0" });
 * assertEquals([found.mapping, found.filtering], ["none", "endpoint-independent"]);
 * assertEquals(classicName(found), "open Internet");
 * ```
 */
export async function getBehaviour(options: BehaviourOptions): Promise<NatBehaviour> {
  check(options);
  const named = options.servers.map((server: StunServerName, i) => {
    const parsed = parseServer(server, `servers[${i}]`);
    protoOf(parsed, "udp", `servers[${i}]`);
    return { server, parsed };
  });
  const family = options.family ?? familyOf(options.route) ?? "IPv4";
  const { timeout = TIMEOUT, lifetime, signal, conf, credentials } = options;
  const route = oneRoute(options.route, family);
  const ended = new AbortController();
  const given = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
  const ask = contextOf({ ...options, signal: given }, "udp", family);
  signal?.throwIfAborted();
  const context = new ProbeContext({ route, conf, credentials, signal: given });
  const progress = new Progress(options.onProgress, lifetime?.max ?? 0);
  using limit = new TimeLimit(timeout, given);
  try {
    progress.tell("contact", 0);
    const found = await contact(named, ask, context, limit);
    if (found === undefined) {
      progress.tell("contact", 1);
      return blocked(lifetime);
    }
    await using discovery = new Discovery(found, { context, limit, lifetime, progress });
    return await discovery.run();
  } finally {
    ended.abort();
  }
}
