/**
 * The options of a daemon.
 *
 * @module
 */
import type { PipeOpenError } from "../errors.ts";
import type { Pipe } from "../pipe/pipe_types.ts";
import type { PipeOptions } from "../pipe/pipe_options.ts";

/** Options of a {@linkcode Daemon}. */
export type DaemonOptions = Pick<PipeOptions, "msgCb" | "upCb" | "endCb" | "conf">;

/** Options of the methods of a {@linkcode Daemon} that listen at several places. */
export interface DaemonListenOptions {
  /**
   * Keeps what could be opened and gives the errors of the rest, unless nothing could be opened.
   * @default {false}
   */
  readonly partial?: boolean | undefined;
}

/** What a {@linkcode Daemon} has opened. */
export interface DaemonListening {
  /** The pipes that listen. */
  readonly pipes: readonly Pipe[];
  /** Why the others do not; always empty without `partial`. */
  readonly errors: readonly PipeOpenError[];
}

/** Options of {@linkcode Daemon.close}. */
export interface DaemonCloseOptions {
  /** Milliseconds until what is left is aborted; 0: at once, Infinity: never. @default {5000} */
  readonly grace?: number | undefined;
}
