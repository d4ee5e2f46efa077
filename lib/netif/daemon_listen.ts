/**
 * Opens the sockets of a daemon.
 *
 * @module
 */
import { PipeOpenError } from "../errors.ts";
import { pipeOpen } from "../pipe/open.ts";
import { systemError } from "../pipe/open_error.ts";
import type { Pipe } from "../pipe/pipe_types.ts";
import type { PipeOptions } from "../pipe/pipe_options.ts";
import { codeOf } from "../transport/error.ts";
import type { Place } from "./daemon_places.ts";
import type { DaemonListening } from "./daemon_types.ts";

/** How to open. */
export interface OpenOptions extends Pick<PipeOptions, "conf" | "signal"> {
  /** Keeps what could be opened, unless that is nothing. */
  readonly partial: boolean;
}

/** How often a port is chosen that is free everywhere. */
const TRIES = 16;

/**
 * Opens sockets, all of them on one port.
 *
 * @param places Where; one at least.
 * @param port Which port; 0: one that is free at all places.
 * @param options How.
 * @returns The pipes, and what could not be opened.
 * @throws {PipeOpenError} If not all, or with `partial` none, could be opened.
 */
export async function openAll(
  places: readonly Place[],
  port: number,
  options: OpenOptions,
): Promise<DaemonListening> {
  for (let tries = port === 0 ? TRIES : 1;; tries--) {
    const opened = await openOnce(places, port, options);
    const { pipes, errors } = opened;
    if (errors.length === 0) return opened;
    const again = tries > 1 && pipes.length > 0 && errors.some(isTaken);
    if (!again && options.partial && pipes.length > 0) return opened;
    await Promise.all(pipes.map((pipe) => pipe.close()));
    if (!again) throw oneError(errors, places.length);
  }
}

async function openOnce(
  places: readonly Place[],
  port: number,
  { conf, signal }: OpenOptions,
): Promise<DaemonListening> {
  const pipes: Pipe[] = [], errors: PipeOpenError[] = [];
  let chosen = port;
  for (const { proto, at, optional } of places) {
    try {
      const pipe = await pipeOpen(proto, { route: at(chosen), conf, signal });
      pipes.push(pipe);
      if (chosen === 0) chosen = pipe.localAddr.port;
    } catch (error) {
      if (!(error instanceof PipeOpenError)) {
        await Promise.all(pipes.map((pipe) => pipe.close()));
        throw error;
      }
      if (optional !== true || !isMissing(error)) errors.push(error);
    }
  }
  return { pipes, errors };
}

function codesOf({ cause }: PipeOpenError): unknown[] {
  const causes = cause instanceof AggregateError ? cause.errors : [cause];
  return causes.map((one) => codeOf(systemError(one)));
}

/** Whether somebody else has the port. */
function isTaken(error: PipeOpenError): boolean {
  return codesOf(error).includes("EADDRINUSE");
}

/** Whether the host has no such address, or does not have the family at all. */
function isMissing(error: PipeOpenError): boolean {
  return codesOf(error).some((code) => code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT");
}

/** One error that lists all. */
function oneError(errors: readonly PipeOpenError[], places: number): PipeOpenError {
  const [first] = errors;
  if (first !== undefined && places === 1) return first;
  const message = `Cannot listen at ${errors.length} of ${places} places: ${
    errors.map((error) => error.message).join("; ")
  }`;
  const { phase = "bind", addr } = first ?? {};
  return new PipeOpenError(message, { phase, addr, cause: new AggregateError(errors) });
}
