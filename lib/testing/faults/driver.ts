import type { NetAddr } from "../../pipe/types.ts";
import { translate } from "../../transport/error.ts";
import { formatAddr } from "../../net/address.ts";
import type { Acceptor, Driver, DriverOptions, Transport } from "../../transport/transport.ts";
import type { FaultControl } from "./control.ts";
import { type EndLanes, FaultyDatagram, type FaultyEnd } from "./datagram.ts";
import { FaultyStream } from "./stream.ts";
import { Alarm } from "./alarm.ts";
import type { Path } from "./lane.ts";

/**
 * Where faults are: at "one" end, which has those of both directions, or at "both", each of which has
 * those of what it sends.
 */
export type FaultyEnds = "one" | "both";

/** A transport with faults. */
export function faulty(
  under: Transport,
  control: FaultControl,
  role: "client" | "server",
  ends: FaultyEnds,
): FaultyEnd {
  const { localAddr, remoteAddr, kind } = under;
  const out = (path: Path) => role === "client" ? path.upstream : path.downstream;
  const back = (path: Path) => role === "client" ? path.downstream : path.upstream;
  const lanes: EndLanes = {
    out: (to) => out(control.path(localAddr, to)),
    in: ends === "one" ? back(control.path(localAddr, remoteAddr)) : undefined,
    connection: control.nameNext(`${kind} ${role}`),
    onClosed: control.remove,
  };
  return control.add(
    kind === "stream" ? new FaultyStream(under, lanes) : new FaultyDatagram(under, lanes),
  );
}

/** The kind of transports that a driver opens at an address. */
function kindAt({ transport }: NetAddr): "stream" | "datagram" {
  return transport === "tcp" ? "stream" : "datagram";
}

/**
 * The transports of another driver, with faults.
 *
 * @param isRemote Whether opening a connection takes a round trip of its latency.
 */
export function faultyDriver(
  under: Driver,
  control: FaultControl,
  ends: FaultyEnds,
  isRemote = true,
): Driver {
  return {
    name: `faulty ${under.name}`,
    async connect(to, from, options) {
      control.check(kindAt(to));
      if (kindAt(to) === "stream") {
        const path = control.path(from, to);
        if (isRemote) await reach(path, control, options);
        refuseIfDown(to, path);
      }
      return faulty(await under.connect(to, from, options), control, "client", ends);
    },
    async listen(at, options) {
      control.check(kindAt(at));
      const listening = await under.listen(at, options);
      return "accept" in listening
        ? new FaultyAcceptor(listening, control, ends)
        : faulty(listening, control, "server", ends);
    },
  };
}

/** The round trip that opening a connection takes. */
async function reach(
  path: Path,
  control: FaultControl,
  { signal }: DriverOptions,
): Promise<void> {
  const start = performance.now();
  const alarm = new Alarm();
  const look = () => alarm.ring();
  signal.addEventListener("abort", look);
  control.waiting.add(look);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { upstream, downstream } = path;
      const ms = (upstream.faults.latency ?? 0) + (downstream.faults.latency ?? 0);
      // What is stalled says nothing, until it is not or whoever opens gives up.
      const until = upstream.isStalled || downstream.isStalled ? Infinity : start + ms;
      if (until <= performance.now()) break;
      await alarm.wait(until);
    }
  } finally {
    signal.removeEventListener("abort", look);
    control.waiting.delete(look);
  }
}

/** Throws if nobody is there. */
function refuseIfDown(to: NetAddr, { down }: Path): void {
  if (!down) return;
  const why = `Connection refused: ${formatAddr(to)} is down`;
  throw translate(new Deno.errors.ConnectionRefused(why));
}

/** A listening socket whose connections have faults. */
export class FaultyAcceptor implements Acceptor {
  readonly localAddr: NetAddr;
  readonly raw: unknown;
  onShortage?: Acceptor["onShortage"];
  onRefused?: Acceptor["onRefused"];
  onHandshakeFailed?: Acceptor["onHandshakeFailed"];
  readonly #under: Acceptor;
  readonly #control: FaultControl;
  readonly #ends: FaultyEnds;

  constructor(under: Acceptor, control: FaultControl, ends: FaultyEnds) {
    this.localAddr = under.localAddr;
    this.raw = under.raw;
    this.#under = under;
    this.#control = control;
    this.#ends = ends;
    under.onShortage = (error) => this.onShortage?.(error);
    under.onRefused = () => this.onRefused?.();
    under.onHandshakeFailed = (error, from) => this.onHandshakeFailed?.(error, from);
  }

  async accept(): Promise<Transport | null> {
    for (;;) {
      const accepted = await this.#under.accept();
      if (accepted === null) return null;
      if (!this.#control.path(accepted.localAddr, accepted.remoteAddr).down) {
        return faulty(accepted, this.#control, "server", this.#ends);
      }
      accepted.abort();
    }
  }

  close(): Promise<void> {
    return this.#under.close();
  }
}
