/** A session, what it is asked, and the parts of its answers. */
import type { NetAddr } from "@p2pd/pipes";
import { ATTRIBUTES, StunMessage } from "@p2pd/pipes/stun";
import { assert } from "@std/assert";
import type { Exchange, Session } from "../../../lib/stun/session.ts";
import { RFC8489_TIMING, type StunTiming } from "../../../lib/stun/timing.ts";

/** An address. */
export const udp = (hostname: string, port: number) =>
  ({ transport: "udp", hostname, port }) as const;
/** The server, and how it sees us. */
export const SERVER = udp("192.0.2.1", 3478), US = udp("198.51.100.7", 4711);

/** Asks the server for a Binding. */
export function ask(
  session: Session,
  now = 0,
  more: { to?: NetAddr; anyFrom?: boolean; timing?: StunTiming } = {},
) {
  const { to = SERVER, anyFrom = false, timing = RFC8489_TIMING } = more;
  const compose = (message: StunMessage) => message;
  return session.begin({ to, anyFrom, compose, timing }, now);
}

/** What a server answers to what is being asked. */
export function answer(
  { transaction }: Exchange,
  kind: "success" | "error" = "success",
): StunMessage {
  const { transactionId } = transaction.message;
  const message = new StunMessage({ class: kind, transactionId });
  return kind === "success" ? message.with(ATTRIBUTES.xorMappedAddress, US) : message;
}

/** How it failed, which it must have. */
export function errorOf({ outcome }: Exchange): Error {
  assert(outcome?.kind === "failed");
  return outcome.error;
}
