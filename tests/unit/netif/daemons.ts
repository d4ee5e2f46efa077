/** What the tests of daemons share. */
import type { NetAddr, Pipe } from "@p2pd/pipes";
import { Interface } from "../../../lib/netif/interface.ts";
import { info } from "./machines.ts";

/** A card with these addresses, whether this machine has them or not. */
export function card(...addresses: string[]): Interface {
  const list = addresses.map((address) => info("nic0", address, "", 7));
  const [nic] = Interface.list({ source: () => list });
  if (nic === undefined) throw new Error("a card is needed");
  return nic;
}

/** Answers each message with itself. */
export function echo(msg: Uint8Array, from: NetAddr, pipe: Pipe): Promise<number> {
  return pipe.send(msg, from);
}
