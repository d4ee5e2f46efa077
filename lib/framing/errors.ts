/**
 * How framings say what is wrong: on this side before anything is sent, or with what the peer sent.
 *
 * @module
 */
import { PipeError } from "../errors.ts";

/** Refuses to send a message that is too long. */
export function checkLength(length: number, max: number, name: string): void {
  if (length <= max) return;
  throw new RangeError(
    `data: a message of ${length} bytes is longer than the maximum of ${name}, ${max} bytes`,
  );
}

/** The peer has broken the maximum. */
export function tooLong(max: number, name: string): PipeError {
  return new PipeError(
    `${name}: the peer sent a message that is longer than the maximum of ${max} bytes`,
  );
}

/** The peer has sent what cannot be. */
export function malformed(name: string, why: string, cause?: unknown): PipeError {
  return new PipeError(`${name}: the peer sent ${why}`, { cause });
}

/** The stream has ended within a message. */
export function unfinished(name: string, bytes: number): PipeError {
  return new PipeError(
    `${name}: the input ended within a message, after ${bytes} ${bytes === 1 ? "byte" : "bytes"}`,
  );
}
