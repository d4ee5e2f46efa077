/**
 * TLS for pipes: what a conf asks for, done to a connection within its time limit, its errors in the
 * words of pipes.
 *
 * @module
 */
import { PipeOpenError, PipeTimeoutError } from "../errors.ts";
import { formatAddr } from "../net/address.ts";
import type { TlsContext } from "../transport/tls.ts";
import type { Transport } from "../transport/transport.ts";
import { systemError } from "./open_error.ts";
import type { TlsConf } from "./tls_conf.ts";
import type { NetAddr } from "./types.ts";
import { within } from "./within.ts";

/** How a handshake is done. */
export interface HandshakeOptions {
  /** Certificates and trust; without it a handshake that the transport has of its own. */
  readonly context: TlsContext | undefined;
  /** On a client, the name that the peer has to prove. */
  readonly name?: string | undefined;
  /** Longest wait, milliseconds. */
  readonly timeout: number;
  /** Gives up; its reason comes out as it is. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the certificates and the key of a conf.
 *
 * @throws {PipeOpenError} Of phase "tls", when one of them is no good.
 */
export async function tlsContext(
  tls: true | TlsConf,
  side: "client" | "server",
): Promise<TlsContext> {
  const { makeContext } = await import("../transport/tls.ts");
  try {
    return makeContext(tls, side);
  } catch (cause) {
    const message = `Cannot use TLS: ${systemError(cause).message}`;
    throw new PipeOpenError(message, { phase: "tls", cause });
  }
}

/** Whether there is a handshake to be done. */
export function needsHandshake(transport: Transport, context: TlsContext | undefined): boolean {
  return context !== undefined || transport.handshake !== undefined;
}

/**
 * Does the handshake. When it fails the transport is still open, and the caller's to close.
 *
 * @returns The transport to go on with.
 * @throws {PipeOpenError} Of phase "tls".
 */
export async function handshake(
  transport: Transport,
  options: HandshakeOptions,
): Promise<Transport> {
  const { context, name, timeout, signal } = options;
  const addr = transport.remoteAddr ?? transport.localAddr;
  const late = () => new PipeTimeoutError(`No TLS handshake within ${timeout} ms`);
  try {
    return await within(timeout, signal, late, async (limit) => {
      if (context === undefined) return await ownHandshake(transport, limit);
      const { secure } = await import("../transport/tls.ts");
      return await secure(transport, context, name, limit);
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw tlsError(addr, error);
  }
}

/** That of an adopted `Deno.TlsConn`. Nothing but closing it ends it, which is the caller's to do. */
async function ownHandshake(transport: Transport, limit: AbortSignal): Promise<Transport> {
  const stopped = Promise.withResolvers<never>();
  const onAbort = () => stopped.reject(limit.reason);
  limit.addEventListener("abort", onAbort);
  try {
    await Promise.race([transport.handshake?.(), stopped.promise]);
  } finally {
    limit.removeEventListener("abort", onAbort);
  }
  return transport;
}

/** A handshake that came to nothing. */
export function tlsError(addr: NetAddr, error: unknown): PipeOpenError {
  const cause = systemError(error);
  const message = `The TLS handshake with ${formatAddr(addr)} failed: ${cause.message}`;
  return new PipeOpenError(message, { phase: "tls", addr, cause });
}

/** How long a peer has to take what it is told of its failure, milliseconds. */
const PATIENCE = 1000;

/** Closes a connection: in good order, as TLS may be telling the peer what was wrong, but not for ever. */
export async function dismiss(transport: Transport, signal?: AbortSignal): Promise<void> {
  const onAbort = () => transport.abort();
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort);
  const timer = setTimeout(onAbort, PATIENCE);
  await transport.close();
  clearTimeout(timer);
  signal?.removeEventListener("abort", onAbort);
}
