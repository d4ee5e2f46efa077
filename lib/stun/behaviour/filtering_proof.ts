/**
 * Whether it was a filter that kept answers out: a server that does not give them is as silent.
 *
 * @module
 */
import { formatAddr } from "../../net/address.ts";
import type { NetAddr } from "../../pipe/types.ts";
import { isSilence } from "./evidence.ts";
import { askChanged, Unsupported } from "./filtering.ts";
import { BOTH, PORT, tooMuchLost } from "./filtering_kind.ts";
import type { Contact } from "./contact.ts";
import type { Probe } from "./probe.ts";
import { inRounds } from "./rounds.ts";
import type { NatFiltering } from "./types.ts";

/** The requests whose silence a finding rests on. */
const SILENT: Readonly<Record<NatFiltering, readonly number[]>> = {
  "endpoint-independent": [],
  "address-dependent": [BOTH],
  "address-and-port-dependent": [BOTH, PORT],
  unknown: [],
};

/** Whether the finding rests on a silence. */
export function restsOnSilence(filtering: NatFiltering): boolean {
  return SILENT[filtering].length > 0;
}

/**
 * Makes the requests that were met by silence once more, where every NAT lets the answer in: from a
 * socket that has sent to where it comes from. Where that has a mapping of its own for it, the answer
 * is to go there (RESPONSE-PORT; RFC 5780, section 7.5).
 *
 * @param probe A socket that has sent nothing yet.
 * @throws {Unsupported} If these are not answered either.
 */
export async function proveFiltering(
  filtering: NatFiltering,
  probe: Probe,
  { server, changed }: Contact,
  signal: AbortSignal,
): Promise<void> {
  const { mapped } = await probe.ask(server, signal);
  const toElsewhere = async (at: number): Promise<number | undefined> => {
    const place: NetAddr = changed[at] ?? server;
    const { mapped: there } = await probe.ask(place, signal);
    if (there.hostname !== mapped.hostname) {
      const why = `${formatAddr(place)} sees another external address than ${formatAddr(server)}`;
      throw new Unsupported(`whether the server answers CHANGE-REQUEST cannot be told: ${why}`);
    }
    return there.port === mapped.port ? undefined : there.port;
  };
  const others = [];
  // One after the other, before any of the requests: what came unasked may change a mapping.
  for (const at of SILENT[filtering]) {
    others.push({ at, responsePort: await toElsewhere(at) });
  }
  const tally = await inRounds({
    control: async (signal) => await probe.once(server, undefined, signal) !== undefined,
    others: others.map(({ at, responsePort }) => askChanged(probe, server, at, responsePort)),
    isEnough: (tally) => tally.answers.every((answers) => answers > 0) || isSilence(tally),
    signal,
  });
  const unanswered = others.filter((_, i) => tally.answers[i] === 0);
  if (unanswered.length === 0) return;
  if (!isSilence(tally)) throw new Unsupported(tooMuchLost(tally));
  const withPort = unanswered.every(({ responsePort }) => responsePort !== undefined);
  throw new Unsupported(
    `the server does not answer CHANGE-REQUEST${withPort ? " with RESPONSE-PORT" : ""}`,
  );
}
