import type { NetAddr } from "../../pipe/types.ts";
import { StunError } from "../error.ts";
import type { StunAnswer } from "../session.ts";
import { isSettled, type Tally } from "./evidence.ts";
import { BOTH, PORT } from "./filtering_kind.ts";
import type { Probe } from "./probe.ts";
import { inRounds, type Try } from "./rounds.ts";

/** The server does not do what it was asked to do. */
export class Unsupported extends Error {}

/** Why requests to change cannot be made, or what they gave. */
const NO_CHANGE = "the server does not answer CHANGE-REQUEST as RFC 5780 says";

/** Asks to answer from the other port, and from the other address if the position is that. */
export function askChanged(probe: Probe, server: NetAddr, at: number, responsePort?: number): Try {
  const ip = at === BOTH;
  return async (signal) => {
    let answer: StunAnswer | undefined;
    try {
      answer = await probe.once(server, { ip, port: true }, signal, responsePort);
    } catch (error) {
      if (error instanceof StunError && error.fault === "refused") throw new Unsupported(NO_CHANGE);
      throw error;
    }
    if (answer === undefined) return false;
    const { hostname, port } = answer.from;
    if ((hostname !== server.hostname) !== ip || port === server.port) {
      throw new Unsupported(NO_CHANGE);
    }
    return true;
  };
}

/**
 * Asks a server to answer from elsewhere (RFC 5780, section 4.4).
 *
 * @param probe A socket that has sent to this address of the server and to no other one, so that its NAT
 * lets in nothing else for that.
 * @param server The server's first address.
 * @returns What was answered.
 * @throws {Unsupported} If the server answers from where it was asked, or refuses.
 */
export async function testFiltering(
  probe: Probe,
  server: NetAddr,
  signal: AbortSignal,
): Promise<Tally> {
  const others: Try[] = [];
  for (const at of [BOTH, PORT]) others[at] = askChanged(probe, server, at);
  return await inRounds({
    control: async (signal) => await probe.once(server, undefined, signal) !== undefined,
    others,
    isEnough: (tally) =>
      isSettled(tally, BOTH) && ((tally.answers[BOTH] ?? 0) > 0 || isSettled(tally, PORT)),
    signal,
  });
}
