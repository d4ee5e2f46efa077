import { PipeStateError } from "../errors.ts";

/** What a failed read, write, connect or bind means, whichever API it came from. */
export type Fault =
  | "reset" // the peer is gone, with or without saying so
  | "closed" // we closed it
  | "denied" // a missing permission
  | "unjoined" // a multicast group could not be joined
  | "unanswered" // the peer did not acknowledge it in time
  | "handshake" // the two sides could not agree on TLS
  | "failed"; // everything else

/** What transports throw: the platform's error as `cause`, and its meaning. */
export class TransportError extends Error {
  /** The class's name. */
  override name = "TransportError";
  /** The meaning. */
  readonly fault: Fault;
  /** With `conf.doClose: false`: the platform's object that was open when opening failed. */
  readonly sock: unknown;

  /**
   * Makes an error.
   *
   * @param fault The meaning.
   * @param cause The platform's error.
   * @param sock The platform's object, if it is left open.
   */
  constructor(fault: Fault, cause: unknown, sock?: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.fault = fault;
    this.sock = sock;
  }
}

/** Deno's error classes and Node's codes, side by side; whatever is not here is "failed". */
const FAULTS: Readonly<Record<string, Fault>> = {
  ConnectionReset: "reset",
  ConnectionAborted: "reset",
  BrokenPipe: "reset",
  NotConnected: "reset",
  UnexpectedEof: "reset",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  ENOTCONN: "reset",
  ETIMEDOUT: "reset",
  Interrupted: "closed",
  BadResource: "closed",
  ECANCELED: "closed",
  ERR_STREAM_DESTROYED: "closed",
  ERR_STREAM_WRITE_AFTER_END: "closed",
  ERR_SOCKET_CLOSED: "closed",
  ERR_SOCKET_DGRAM_NOT_RUNNING: "closed",
  NotCapable: "denied",
  PermissionDenied: "denied",
  EACCES: "denied",
  EPERM: "denied",
};

/** The system's code for an error, "ECONNRESET"; Deno and Node both give it, where there is one. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}

/** Translates any error of the platform, once, here. */
export function translate(error: unknown): TransportError {
  if (error instanceof TransportError) return error;
  const name = error instanceof Error ? error.name : "";
  return new TransportError(FAULTS[name] ?? FAULTS[codeOf(error) ?? ""] ?? "failed", error);
}

/** The error of a call on something that was closed from this side. */
export function closedHere(): TransportError {
  return new TransportError("closed", new PipeStateError("closed on this side"));
}

/** The error of a call beside one in progress, where there can be one only. */
export function busyWith(action: "read" | "accept"): TransportError {
  return new TransportError("failed", new PipeStateError(`Cannot ${action}: one is in progress`));
}
