/**
 * Checks of the arguments of a daemon.
 *
 * @module
 */
import { PipeStateError } from "../errors.ts";
import { formatAddr, parseDest } from "../net/address.ts";
import { show } from "../net/show.ts";
import { isProto, PROTO_NAMES } from "../pipe/proto.ts";
import type { Pipe } from "../pipe/pipe_types.ts";
import type { Proto } from "../pipe/types.ts";
import type { PipeOptions } from "../pipe/pipe_options.ts";
import { Interface } from "./interface.ts";

/** The system would let it pass where `conf.reuseAddr` is set: messages would go to either one. */
export function checkNew(
  pipes: Iterable<Pipe>,
  proto: Proto,
  route: NonNullable<PipeOptions["route"]>,
): void {
  if (typeof route === "object" && !Array.isArray(route) && !("hostname" in route)) return;
  const { hostname, port } = parseDest(route, "route", { literal: true, wildcard: true });
  const same = hostname === "*" ? ["::", "0.0.0.0"] : [hostname];
  for (const { proto: other, localAddr } of pipes) {
    if (other !== proto || localAddr.port !== port || !same.includes(localAddr.hostname)) {
      continue;
    }
    const where = `${formatAddr(localAddr)} (${proto})`;
    throw new PipeStateError(`Cannot listen on ${where}: this daemon does so already`);
  }
}

export function checkProtos(proto: unknown): Proto[] {
  const protos: readonly unknown[] = Array.isArray(proto) ? proto : [proto];
  const known = protos.filter(isProto);
  if (known.length === protos.length && known.length > 0) return [...new Set(known)];
  throw new TypeError(
    `proto: one of ${PROTO_NAMES} or an array of them is needed, got ${show(proto)}`,
  );
}

export function checkPort(port: unknown): void {
  if (typeof port === "number" && Number.isInteger(port) && port >= 0 && port <= 65535) return;
  throw new RangeError(`port: must be a whole number from 0 to 65535, got ${show(port)}`);
}

export function checkNics(nic: unknown, most = Infinity): Interface[] {
  const nics: readonly unknown[] = Array.isArray(nic) ? nic : [nic];
  const known = nics.filter((one) => one instanceof Interface);
  if (known.length === nics.length && known.length > 0 && known.length <= most) return known;
  const wanted = most === 1 ? "an Interface" : "an Interface or an array of them";
  const hint = typeof nic === "string" ? `; Interface.get(${show(nic)}) gives it` : "";
  throw new TypeError(`nic: ${wanted} is needed, got ${show(nic)}${hint}`);
}

export function namesOf(nic: unknown): string {
  return checkNics(nic).map(({ name }) => name).join(", ");
}
