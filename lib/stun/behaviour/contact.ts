/**
 * The beginning: who answers, and where else that server can be asked.
 *
 * @module
 */
import { PipeTimeoutError } from "../../errors.ts";
import { formatAddr } from "../../net/address.ts";
import { isMulticast, isUnspecified, parseIp } from "../../net/ip.ts";
import type { NetAddr } from "../../pipe/types.ts";
import { type AskContext, askServer } from "../ask.ts";
import { noAnswer, sorted } from "../get_mappings.ts";
import type { Mapping } from "../mapping.ts";
import type { NamedServer, StunServerName } from "../uri.ts";
import { BOTH, PORT } from "./filtering_kind.ts";
import { Probe, type ProbeContext } from "./probe.ts";
import type { TimeLimit } from "./time_limit.ts";

/** A server as it was named, and what that means. */
export interface Named {
  readonly server: StunServerName;
  readonly parsed: NamedServer;
}

/** Whom to make the tests with. */
export interface Contact {
  /** The first server that has another address; where none has, the first one that answered. */
  readonly server: NetAddr;
  /** Everywhere that answers: this server's addresses, the first one first, then the other servers. */
  readonly places: readonly NetAddr[];
  /** Where it answers a CHANGE-REQUEST from, by the position of the request; none if it cannot. */
  readonly changed: readonly NetAddr[];
  /** Why it cannot be asked to answer from its other address and port; undefined if it can. */
  readonly lacks: string | undefined;
}

/** More places than these make a discovery longer and not better. */
const MOST_PLACES = 6;

/**
 * Asks all servers, and then the one that has another address there.
 *
 * @returns Whom to go on with; undefined if nobody answered anything.
 * @throws {PipeError} If nobody answered for another reason than silence.
 */
export async function contact(
  named: readonly Named[],
  ask: AskContext,
  context: ProbeContext,
  limit: TimeLimit,
): Promise<Contact | undefined> {
  await using probe = await Probe.open(context);
  const one = (to: NetAddr) => probe.ask(to, limit.signal);
  const results = await Promise.allSettled(named.map(({ parsed }) => askServer(parsed, one, ask)));
  context.signal.throwIfAborted();
  const { answers, failures } = sorted(results, named);
  const chosen = answers.find((answer) => otherOf(answer) !== undefined) ?? answers[0];
  if (chosen === undefined) {
    if (failures.every(({ error }) => isSilence(error, limit))) return undefined;
    throw noAnswer(failures);
  }
  const { server } = chosen, other = otherOf(chosen);
  const rest = answers.filter((answer) => answer !== chosen).map((answer) => answer.server);
  if (other === undefined) {
    const lacks = `${formatAddr(server)} has no other address and port (OTHER-ADDRESS)`;
    return { server, places: [server, ...rest].slice(0, MOST_PLACES), changed: [], lacks };
  }
  const port = { ...server, port: other.port };
  const more = [port, { ...other, port: server.port }, other];
  const alive = await Promise.all(
    more.map((place) =>
      // What the server named may be no place to send to, or answer nonsense: then it is of no use.
      one(place).then(() => true, () => false)
    ),
  );
  context.signal.throwIfAborted();
  const changed: NetAddr[] = [];
  changed[BOTH] = other;
  changed[PORT] = port;
  // Their silence must mean something.
  const dead = changed.filter((place) => !alive[more.indexOf(place)]);
  const lacks = dead.length === 0
    ? undefined
    : `nothing comes from the server's other address ${dead.map(formatAddr).join(", ")}`;
  const places = [server, ...more.filter((_, i) => alive[i]), ...rest].slice(0, MOST_PLACES);
  return { server, places, changed, lacks };
}

/** Whether it failed because nothing came, at all or in time. */
function isSilence(error: unknown, { signal }: TimeLimit): boolean {
  return error instanceof PipeTimeoutError || (signal.aborted && error === signal.reason);
}

/** The server's other address and port, if it can be used. */
function otherOf({ server, otherAddress }: Mapping): NetAddr | undefined {
  const ip = otherAddress && parseIp(otherAddress.hostname);
  if (otherAddress === undefined || ip === undefined || otherAddress.port === 0) return undefined;
  const same = otherAddress.hostname === server.hostname || otherAddress.port === server.port;
  const family = ip.family === parseIp(server.hostname)?.family;
  return same || !family || isUnspecified(ip) || isMulticast(ip) ? undefined : otherAddress;
}
