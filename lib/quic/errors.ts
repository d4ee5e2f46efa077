import { translate, TransportError } from "../transport/error.ts";

/** The codes with which this library closes connections (RFC 9000, section 19.19). */
export const CloseCode = {
  /** In good order. */
  done: 0,
  /** What was sent last may be missing. */
  aborted: 1,
  /** By `conf.allow`, `conf.deny` or for want of room. */
  refused: 2,
} as const;

const HANDSHAKE = /cryptographic handshake failed|no_application_protocol|invalid peer certificate/;

/** What a failed connect means. Deno has one class for all errors of QUIC, so the words have to do. */
export function connectError(error: unknown): TransportError {
  const message = error instanceof Error ? error.message : String(error);
  if (HANDSHAKE.test(message)) return new TransportError("handshake", error);
  if (/refused to accept/.test(message)) {
    const cause = new Deno.errors.ConnectionRefused("the server refused the connection");
    return new TransportError("failed", cause);
  }
  if (message === "timed out") {
    return new TransportError("failed", new Deno.errors.TimedOut("nobody answered"));
  }
  return translate(error);
}

/** Why a connection ended that this side did not close, from what `QuicConn.closed` rejected with. */
export function lostBy(error: unknown): TransportError {
  const message = error instanceof Error ? error.message : String(error);
  const cause = message === "timed out"
    ? new Deno.errors.TimedOut("the peer has not been heard of for too long")
    : new Deno.errors.ConnectionReset(`the connection was lost: ${message}`);
  return new TransportError("reset", cause);
}

/** The same for a connection that the peer closed while it was in use. */
export function closedByPeer({ closeCode, reason }: Deno.QuicCloseInfo): TransportError {
  const why = reason === "" ? "" : `, saying ${JSON.stringify(reason)}`;
  const message = `the peer closed the connection with code ${closeCode}${why}`;
  return new TransportError("reset", new Deno.errors.ConnectionReset(message));
}

/** Whether a stream failed with its connection, which knows why. */
export function isConnectionLoss(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.BadResource;
}
