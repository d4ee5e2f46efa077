/**
 * Checks of arguments that several functions take.
 *
 * @module
 */
import { show } from "../net/show.ts";
import type { WaitOptions } from "./types.ts";

/** Throws a TypeError or RangeError that names the argument and the value. */
export type Check = (value: unknown, what: string) => void;

/** A duration in milliseconds, Infinity included. */
export const checkMs: Check = (value, what) => {
  if (typeof value !== "number") {
    throw new TypeError(`${what}: a number of milliseconds is needed, got ${show(value)}`);
  }
  if (!(value >= 0)) {
    throw new RangeError(`${what}: must be 0 or more milliseconds, got ${show(value)}`);
  }
};

/** A whole number of `least` or more. */
export const count = (least: number): Check => (value, what) => {
  if (typeof value !== "number") {
    throw new TypeError(`${what}: a whole number is needed, got ${show(value)}`);
  }
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`${what}: must be a whole number of ${least} or more, got ${show(value)}`);
  }
};

/** A whole number of 0 or more. */
export const checkCount: Check = count(0);

/** True or false. */
export const flag: Check = (value, what) => {
  if (typeof value !== "boolean") {
    throw new TypeError(`${what}: true or false is needed, got ${show(value)}`);
  }
};

/** A function. */
export const checkFunction: Check = (value, what) => {
  if (typeof value !== "function") {
    throw new TypeError(`${what}: a function is needed, got ${show(value)}`);
  }
};

/** An object with options, checked: a misspelt one must not go unnoticed. */
export function checkOptions<T extends object>(options: T, ...keys: (keyof T & string)[]): T {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`options: { ${keys.join("?, ")}? } is needed, got ${show(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!keys.some((known) => known === key)) {
      throw new TypeError(`options: there is no ${show(key)}, only ${keys.join(", ")}`);
    }
  }
  return options;
}

/** The options of a call that waits. */
export function checkWait(options: WaitOptions): WaitOptions {
  const { timeout, signal } = checkOptions(options, "timeout", "signal");
  if (timeout !== undefined) checkMs(timeout, "timeout");
  checkSignal(signal);
  return options;
}

/** An AbortSignal, or none. */
export function checkSignal(signal: unknown): asserts signal is AbortSignal | undefined {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    const hint = signal instanceof AbortController ? "; use its signal" : "";
    throw new TypeError(`signal: an AbortSignal is needed, got ${show(signal)}${hint}`);
  }
}
