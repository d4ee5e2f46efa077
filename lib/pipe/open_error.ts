import { type OpenPhase, PipeOpenError } from "../errors.ts";
import { formatAddr } from "../net/address.ts";
import { codeOf, TransportError } from "../transport/error.ts";
import type { Plan } from "./options.ts";
import type { NetAddr } from "./types.ts";

const BIND_CODES: readonly unknown[] = ["EADDRINUSE", "EADDRNOTAVAIL"];

/** One error for everything tried: the cause, or all of them if there were several. */
export function openError(
  plan: Plan,
  tried: readonly NetAddr[],
  errors: readonly unknown[],
): PipeOpenError {
  const causes = errors.map(systemError);
  const cause = causes.length === 1 ? causes[0] : new AggregateError(causes);
  const where = tried.slice(0, errors.length).map(formatAddr).join(", ");
  const doing = plan.dest === undefined ? "listen on" : "connect to";
  const from = plan.dest === undefined || plan.local === undefined
    ? ""
    : ` from ${formatAddr(plan.local)}`;
  const flag = causes.some((c) => c.name === "NotCapable") ? "run with --allow-net: " : "";
  const why = causes.map((c) => c.message).join("; ");
  return new PipeOpenError(`Cannot ${doing} ${where}${from}: ${flag}${why}`, {
    phase: phaseOf(plan, causes),
    addr: tried[Math.max(0, errors.length - 1)],
    cause,
  });
}

function phaseOf(plan: Plan, causes: readonly Error[]): OpenPhase {
  const denied = (c: Error) => c.name === "NotCapable" || c.name === "PermissionDenied";
  if (causes.some((c) => denied(c) || codeOf(c) === "EACCES")) return "permission";
  if (plan.dest === undefined) return "bind";
  return plan.local !== undefined && causes.some(isBindError) ? "bind" : "connect";
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
