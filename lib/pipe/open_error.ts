import { type OpenPhase, PipeOpenError } from "../errors.ts";
import { formatAddr } from "../net/address.ts";
import { codeOf, TransportError } from "../transport/error.ts";
import type { Plan } from "./options.ts";
import type { NetAddr } from "./types.ts";

const BIND_CODES: readonly unknown[] = ["EADDRINUSE", "EADDRNOTAVAIL"];

/** Where an attempt went, and where from. */
export interface Tried {
  readonly to: NetAddr;
  readonly from: NetAddr | undefined;
}

/** One error for everything tried: the cause, or all of them if there were several. */
export function openError(
  plan: Plan,
  tried: readonly Tried[],
  errors: readonly unknown[],
): PipeOpenError {
  const causes = errors.map(systemError);
  const cause = causes.length === 1 ? causes[0] : new AggregateError(causes);
  const why = [...new Set(causes.map(reason))].join("; ");
  const sock = errors.map((error) => error instanceof TransportError ? error.sock : undefined)
    .find((left) => left !== undefined);
  return new PipeOpenError(
    `Cannot ${doing(plan, tried.slice(0, errors.length))}: ${why}`,
    { phase: phaseOf(plan, errors), addr: tried[Math.max(0, errors.length - 1)]?.to, cause, sock },
  );
}

/** Not one of the local sides leads to any of the addresses. */
export function noWay({ locals }: Plan, addresses: readonly NetAddr[]): PipeOpenError {
  const [to, from] = [addresses, locals.map(({ endpoint }) => endpoint)].map((list) =>
    list.map(formatAddr).join(", ")
  );
  return new PipeOpenError(`Cannot connect to ${to} from ${from}: they cannot meet`, {
    phase: "connect",
    addr: addresses[0],
  });
}

function doing(plan: Plan, tried: readonly Tried[]): string {
  if (plan.sock !== undefined) return "adopt sock";
  const ways = tried.map(({ to, from }) =>
    from === undefined ? formatAddr(to) : `${formatAddr(to)} from ${formatAddr(from)}`
  );
  return `${plan.role === "server" ? "listen on" : "connect to"} ${ways.join(", ")}`;
}

/** What is wrong, with the exact flag where Deno names it without its value. */
function reason({ name, message }: Error): string {
  const host = name === "NotCapable"
    ? /^Requires net access to "([^"]+)"/.exec(message)?.[1]
    : undefined;
  return host === undefined ? message : `no network permission, run with --allow-net=${host}`;
}

function phaseOf(plan: Plan, errors: readonly unknown[]): OpenPhase {
  const causes = errors.map(systemError);
  const denied = (c: Error) => c.name === "NotCapable" || c.name === "PermissionDenied";
  if (causes.some((c) => denied(c) || codeOf(c) === "EACCES")) return "permission";
  if (errors.some((error) => error instanceof TransportError && error.fault === "handshake")) {
    return "tls";
  }
  if (plan.role === "server") return "bind";
  if (errors.some((error) => error instanceof TransportError && error.fault === "unjoined")) {
    return "bind";
  }
  return plan.locals.length > 0 && causes.some(isBindError) ? "bind" : "connect";
}

/** Whether a client failed at its own side. */
function isBindError(cause: Error): boolean {
  return BIND_CODES.includes(codeOf(cause)) || ("syscall" in cause && cause.syscall === "bind");
}

/** What the platform said, without our own wrapping. */
export function systemError(error: unknown): Error {
  const inner = error instanceof TransportError ? error.cause : error;
  return inner instanceof Error ? inner : new Error(String(inner), { cause: inner });
}
