/**
 * What becomes of a socket when opening fails after there was one: `conf.doClose`.
 *
 * @module
 */
import { PipeOpenError, PipeStateError, ResolveError } from "../errors.ts";
import type { Plan } from "./options.ts";
import type { OpenSocket } from "./pipe_options.ts";

/** The same error, with the socket that it leaves to the caller. */
export function withSock(error: PipeOpenError, sock: unknown): PipeOpenError {
  const { message, phase, addr, cause } = error;
  if (error instanceof ResolveError) return new ResolveError(message, { addr, cause, sock });
  return new PipeOpenError(message, { phase, addr, cause, sock });
}

/**
 * Closes the socket that the caller gave, or leaves it to the caller, as `conf.doClose` says. One that
 * was refused is the caller's in any case.
 *
 * @returns The error to throw.
 */
export function giveUp({ sock, conf, signal }: Plan, error: unknown): unknown {
  if (sock === undefined) return error;
  // The reason of a signal can be of any class.
  if (signal?.aborted !== true && isRefusal(error)) return error;
  if (conf.doClose) closeGiven(sock);
  else if (error instanceof PipeOpenError) return withSock(error, sock);
  return error;
}

function isRefusal(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError ||
    error instanceof PipeStateError;
}

function closeGiven(sock: OpenSocket): void {
  try {
    if ("destroy" in sock) sock.destroy();
    else if ("close" in sock) sock.close();
    else {
      sock.readable.cancel().catch(() => {}); // also one that is locked: it was closed already
      sock.writable.abort().catch(() => {});
    }
  } catch {
    // It was closed already.
  }
}
