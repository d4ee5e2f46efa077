/**
 * What all datagram transports have in common.
 *
 * @module
 */
import { PipeStateError } from "../errors.ts";
import type { NetAddr } from "../pipe/types.ts";
import { codeOf, TransportError } from "./error.ts";

const REFUSALS: readonly unknown[] = ["ECONNREFUSED", "ECONNRESET", "ENETRESET"];
const UNREACHABLE: readonly unknown[] = ["EHOSTUNREACH", "ENETUNREACH"];

/**
 * Whether an error reports what an earlier datagram met, perhaps one to somebody else, and is no fault
 * of the call that got it. (Linux reports these on connected sockets, Windows on all.)
 */
function isRefusal(error: unknown): boolean {
  return REFUSALS.includes(codeOf(error)) ||
    error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.ConnectionReset;
}

/** The same for receiving, to which an address without a way is no fault of its own either. */
export function isIcmp(error: unknown): boolean {
  return isRefusal(error) || UNREACHABLE.includes(codeOf(error));
}

/**
 * What to do when a send has failed: once more if it reported an earlier datagram instead of sending
 * this one. A second report is no reason to fail either, it is as good as a loss on the way.
 */
export async function sendAgain(error: unknown, send: () => Promise<unknown>): Promise<void> {
  if (!isRefusal(error)) throw error;
  try {
    await send();
  } catch (again) {
    if (!isRefusal(again)) throw again;
  }
}

/** Where to bind for sending to an address, if nobody says. */
export function unspecifiedFor(to: NetAddr): NetAddr {
  return { transport: "udp", hostname: to.hostname.includes(":") ? "::" : "0.0.0.0", port: 0 };
}

/** The error of a send without a receiver on a socket that has no peer. */
export function noReceiver(): TransportError {
  return new TransportError("failed", new PipeStateError("Cannot send: there is no receiver"));
}
