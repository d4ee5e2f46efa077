/**
 * The order of the tests, so that none spoils another: what is sent to a place opens a filter for it,
 * and on some routers what came from a place changes the mapping to it.
 *
 * @module
 */
import { PipeOpenError, PipeTimeoutError } from "../../errors.ts";
import { isUnspecified, parseIp } from "../../net/ip.ts";
import { pipeOpen } from "../../pipe/open.ts";
import type { NetAddr } from "../../pipe/types.ts";
import { StunError } from "../error.ts";
import type { Contact } from "./contact.ts";
import { testFiltering, Unsupported } from "./filtering.ts";
import { filteringKind, type Finding } from "./filtering_kind.ts";
import { proveFiltering, restsOnSilence } from "./filtering_proof.ts";
import { type Side, testHairpin } from "./hairpin.ts";
import { type LifetimeOptions, testLifetime } from "./lifetime.ts";
import { Probe, type ProbeContext } from "./probe.ts";
import type { Progress } from "./progress.ts";
import { nothing, report } from "./report.ts";
import type { TimeLimit } from "./time_limit.ts";
import { together } from "./together.ts";
import type { BindingLifetime, MappingObservation, NatBehaviour, NatFiltering } from "./types.ts";

/** What a discovery goes by. */
export interface DiscoveryOptions {
  readonly context: ProbeContext;
  readonly limit: TimeLimit;
  readonly lifetime: LifetimeOptions | undefined;
  readonly progress: Progress;
}

/** How many sockets ask everywhere. */
const SOCKETS = 3;

/** Where nobody answers. */
export function blocked(search: LifetimeOptions | undefined): NatBehaviour {
  const reason = "nobody answered";
  return report({
    observations: [],
    isOurs: () => false,
    incomplete: reason,
    filtering: nothing("unknown", reason),
    hairpin: nothing(undefined, reason),
    lifetime: nothing(undefined, search && reason),
    local: undefined,
    server: undefined,
  });
}

/** Makes the tests. */
export class Discovery implements AsyncDisposable {
  readonly #contact: Contact;
  readonly #options: DiscoveryOptions;
  readonly #probes: Probe[] = [];
  readonly #seen: MappingObservation[] = [];

  constructor(contact: Contact, options: DiscoveryOptions) {
    this.#contact = contact;
    this.#options = options;
  }

  /** Finds out everything. */
  async run(): Promise<NatBehaviour> {
    const { server } = this.#contact;
    const { context, limit, progress, lifetime: search } = this.#options;
    progress.tell("mapping", 0);
    // The first two of these ask in one place only; so do the others, until they send to each other.
    const sides = await this.#attempt<readonly Side[]>([], async () => ({
      value: [
        ...[await this.#side(), await this.#side()],
        ...[await this.#side(), await this.#side()],
      ],
      confidence: 1,
    }));
    const [first, second, one, two] = sides.value;
    let filtering = nothing<NatFiltering>("unknown", sides.reason);
    let hairpin = nothing<boolean | undefined>(undefined, sides.reason);
    let everywhere = nothing(false, sides.reason);
    await together(limit.signal, [
      async (signal) => {
        if (first === undefined || second === undefined) return;
        const test = () => this.#filtering(first.probe, second.probe, signal);
        filtering = await this.#attempt("unknown", test);
      },
      async (signal) => {
        everywhere = await this.#attempt(false, () => this.#askEverywhere(signal));
        // Only now: each external address that is sent to may take a mapping of its own.
        if (one === undefined || two === undefined) return;
        progress.tell("hairpin", 0);
        const test = () => testHairpin(one, two, server, context, signal);
        hairpin = await this.#attempt(undefined, test);
      },
    ]);
    // Only now: what it sends to may take mappings in the midst of those whose order counts.
    if (restsOnSilence(filtering.value)) {
      const silent = filtering;
      filtering = await this.#attempt("unknown", () => this.#proven(silent));
    }
    let lifetime = nothing<BindingLifetime | undefined>(undefined);
    if (search !== undefined) {
      const tell = (share: number) => progress.tell("lifetime", share);
      tell(0);
      lifetime = await this.#attempt(undefined, () => testLifetime(server, context, search, tell));
    }
    progress.tell(search === undefined ? "hairpin" : "lifetime", 1);
    const ours = await this.#ours();
    return report({
      observations: this.#seen,
      isOurs: ({ localPort, mapped }) => localPort === mapped.port && ours.has(mapped.hostname),
      incomplete: everywhere.reason,
      filtering,
      hairpin,
      lifetime,
      local: this.#probes[0]?.pipe.localAddr,
      server,
    });
  }

  /** What a test finds; if it cannot, or the time is over, why. */
  async #attempt<T>(unknown: T, test: () => Promise<Finding<T>>): Promise<Finding<T>> {
    const { context, limit } = this.#options;
    try {
      return await test();
    } catch (error) {
      context.signal.throwIfAborted();
      if (limit.isOver) return nothing(unknown, `not known within ${limit.ms} ms`);
      const known = error instanceof Unsupported || error instanceof PipeTimeoutError ||
        error instanceof StunError;
      if (known) return nothing(unknown, error.message);
      throw error;
    }
  }

  async #open(): Promise<number> {
    return this.#probes.push(await Probe.open(this.#options.context)) - 1;
  }

  /** A socket that has asked the server, and nobody else. */
  async #side(): Promise<Side> {
    const socket = await this.#open();
    return await this.#ask(socket, this.#contact.server, this.#options.limit.signal);
  }

  async #ask(socket: number, place: NetAddr, signal: AbortSignal): Promise<Side> {
    const probe = this.#probes[socket];
    if (probe === undefined) throw new RangeError(`socket: there is no ${socket}`);
    const { mapped } = await probe.ask(place, signal);
    this.#seen.push({ socket, localPort: probe.pipe.localAddr.port, server: place, mapped });
    return { probe, mapped };
  }

  async #filtering(
    first: Probe,
    second: Probe,
    signal: AbortSignal,
  ): Promise<Finding<NatFiltering>> {
    const { server, lacks } = this.#contact;
    if (lacks !== undefined) return nothing("unknown", lacks);
    const test = async (probe: Probe) => filteringKind(await testFiltering(probe, server, signal));
    const found = await test(first);
    // A program that had the port before may have left the filter open. Two ports it had not.
    return found.value === "address-and-port-dependent" ? found : await test(second);
  }

  async #proven(found: Finding<NatFiltering>): Promise<Finding<NatFiltering>> {
    const { context, limit } = this.#options;
    await using probe = await Probe.open(context);
    await proveFiltering(found.value, probe, this.#contact, limit.signal);
    return found;
  }

  /** Asks in all places, one after the other: the order of the mappings counts. */
  async #askEverywhere(signal: AbortSignal): Promise<Finding<boolean>> {
    const { places } = this.#contact;
    for (let i = 0; i < SOCKETS; i++) {
      const socket = await this.#open();
      for (const [j, place] of places.entries()) {
        await this.#ask(socket, place, signal);
        this.#options.progress.tell("mapping", (i + (j + 1) / places.length) / SOCKETS);
      }
    }
    return { value: true, confidence: 1 };
  }

  /** The external addresses that belong to this machine. */
  async #ours(): Promise<Set<string>> {
    const ours = new Set<string>();
    const bound = this.#probes[0]?.pipe.localAddr.hostname ?? "";
    const ip = parseIp(bound);
    if (ip !== undefined && !isUnspecified(ip)) return ours.add(bound);
    // Which ones the machine has takes a permission to read. What can be bound to, it has.
    for (const hostname of new Set(this.#seen.map(({ mapped }) => mapped.hostname))) {
      try {
        await using _ = await pipeOpen("udp", { route: [hostname, 0] });
        ours.add(hostname);
      } catch (error) {
        if (!(error instanceof PipeOpenError)) throw error;
      }
    }
    return ours;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#probes.map((probe) => probe[Symbol.asyncDispose]()));
  }
}
