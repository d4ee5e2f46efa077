/**
 * The errors of this library. Every failure is one of these classes (or a TypeError or RangeError for
 * a wrong argument); the system's own error is always kept as `cause`.
 *
 * @module
 */
import type { NetAddr } from "./pipe/types.ts";

/** At which step an open failed. */
export type OpenPhase = "resolve" | "bind" | "connect" | "tls" | "permission";

/** What a {@linkcode PipeError} carries besides its message. */
export interface PipeErrorOptions {
  /** The step that failed, when the pipe was being opened. */
  readonly phase?: OpenPhase | undefined;
  /** The address concerned: resolved, or as the caller wrote it. */
  readonly addr?: NetAddr | string | undefined;
  /** The error underneath, usually the system's. */
  readonly cause?: unknown;
}

/** Base class of all errors that a pipe throws, for one `instanceof`. */
export class PipeError extends Error {
  /** The class's name. */
  override name = "PipeError";
  /** The step of the open that failed; undefined once the pipe was open. */
  readonly phase: OpenPhase | undefined;
  /** The address concerned, if there is one. */
  readonly addr: NetAddr | string | undefined;

  /**
   * Makes an error.
   *
   * @param message What could not be done, and why.
   * @param options Phase, address and cause.
   */
  constructor(message: string, options: PipeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.phase = options.phase;
    this.addr = options.addr;
  }
}

/** The pipe is closed, was reset, or its peer has gone; `cause` is what ended it. */
export class PipeClosedError extends PipeError {
  /** The class's name. */
  override name = "PipeClosedError";
}

/** Nothing came in time. No message is lost by it: the next call gets what arrives later. */
export class PipeTimeoutError extends PipeError {
  /** The class's name. */
  override name = "PipeTimeoutError";
}

/**
 * The call makes no sense in this state: nothing subscribed, no peer to send to, a pipe linked to itself.
 */
export class PipeStateError extends PipeError {
  /** The class's name. */
  override name = "PipeStateError";
}

/** A pipe could not be opened. Nothing that was opened on the way stays open (see `conf.doClose`). */
export class PipeOpenError extends PipeError {
  /** The class's name. */
  override name = "PipeOpenError";
  /** The step that failed. */
  declare readonly phase: OpenPhase;
  /** With `conf.doClose: false`: the socket that was there when it failed, still open, the caller's. */
  readonly sock: unknown;

  /**
   * Makes an error.
   *
   * @param message What could not be opened, and why.
   * @param options The phase, and the address, cause and socket where there are any.
   */
  constructor(
    message: string,
    options: PipeErrorOptions & { readonly phase: OpenPhase; readonly sock?: unknown },
  ) {
    super(message, options);
    this.sock = options.sock;
    // Shown by what prints the error only where there is one.
    if (options.sock === undefined) Object.defineProperty(this, "sock", { enumerable: false });
  }
}

/** A host name could not be resolved: a {@linkcode PipeOpenError} of phase "resolve". */
export class ResolveError extends PipeOpenError {
  /** The class's name. */
  override name = "ResolveError";

  /**
   * Makes an error.
   *
   * @param message Which name, and why.
   * @param options The address, cause and socket where there are any.
   */
  constructor(
    message: string,
    options: Omit<PipeErrorOptions, "phase"> & { readonly sock?: unknown } = {},
  ) {
    super(message, { ...options, phase: "resolve" });
  }
}
