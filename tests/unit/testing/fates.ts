/** What becomes of datagrams, without sockets and time. */
import { DatagramFate } from "../../../lib/testing/faults/datagram_fate.ts";
import type { Faults } from "../../../lib/testing/faults/faults.ts";
import { Lane, newCounts } from "../../../lib/testing/faults/lane.ts";

/** A direction with these faults. */
export function lane(faults: Faults, ...key: readonly (string | number)[]): Lane {
  const made = new Lane(newCounts(), ...(key.length === 0 ? [1, "", "upstream"] : key));
  made.faults = faults;
  return made;
}

/** One datagram's fate, in short. */
export interface Verdict {
  readonly copies: number;
  readonly late: number;
  readonly held: boolean;
  readonly flipped: number | undefined;
}

/** The fates of `count` datagrams of 100 bytes, sent at time 0. */
export function fates(on: Lane, count: number, connection = "datagram client 0"): Verdict[] {
  const fate = new DatagramFate(on, connection);
  return Array.from({ length: count }, () => {
    const sent = new Uint8Array(100);
    const { due, data, held } = fate.of(sent, 0);
    const at = data.findIndex((byte) => byte !== 0);
    return {
      copies: due.length,
      late: due[0] ?? NaN,
      held,
      flipped: at < 0 ? undefined : at * 8 + Math.log2(data[at] ?? 0),
    };
  });
}
