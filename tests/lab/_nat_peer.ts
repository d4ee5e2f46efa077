/**
 * The host behind the NATs of nat_lab.ts: finds out what they do, as often as it is told, many at once,
 * and prints each result as a line of JSON.
 *
 * Its argument is JSON: options of the discovery, how many there are to be, and how many at a time.
 *
 * @module
 */
import { Interface } from "@p2pd/pipes";
import { type BehaviourOptions, classicName, getBehaviour } from "@p2pd/pipes/stun";

interface Order extends BehaviourOptions {
  readonly runs: number;
  readonly atOnce: number;
  /** Over which card. */
  readonly card?: string;
  /** From which addresses, in turn. */
  readonly hosts?: readonly string[];
}

const { runs, atOnce, hosts = [], card, ...options }: Order = JSON.parse(Deno.args[0] ?? "");
const nic = card === undefined ? undefined : Interface.get(card);
let left = runs;
await Promise.all(Array.from({ length: atOnce }, async (_, i) => {
  const host = hosts[i % hosts.length];
  const route = nic ?? (host === undefined ? undefined : [host, 0] as const);
  while (left-- > 0) {
    const start = performance.now();
    const found = await getBehaviour({ ...options, route });
    const { mapping, filtering, hairpin, portPreservation: kept } = found;
    const { step: { kind, delta } } = found;
    const step = delta === undefined ? kind : `${kind} ${delta}`;
    const result = { mapping, filtering, hairpin, kept, step, name: classicName(found) };
    const { mapped, lifetime, confidence, reasons } = found;
    const ms = Math.round(performance.now() - start);
    console.log(JSON.stringify({ result, mapped, lifetime, confidence, reasons, ms }));
  }
}));
