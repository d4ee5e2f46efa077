import { show } from "../../net/show.ts";
import { type Check, count, flag } from "../../pipe/checks.ts";
import { type Cut, type Faults, ONLY, type PathFaults, type Slicing } from "./faults.ts";

/** A finite number of `least` or more. */
const number = (least: number, unit: string): Check => (value, what) => {
  if (typeof value !== "number") {
    throw new TypeError(`${what}: a number of ${unit} is needed, got ${show(value)}`);
  }
  if (!(value >= least) || value === Infinity) {
    throw new RangeError(`${what}: must be ${least} or more ${unit}, got ${show(value)}`);
  }
};

const ms = number(0, "milliseconds");

const probability: Check = (value, what) => {
  if (typeof value !== "number") {
    throw new TypeError(`${what}: a probability is needed, got ${show(value)}`);
  }
  if (!(value >= 0 && value <= 1)) {
    throw new RangeError(`${what}: a probability is from 0 to 1, got ${show(value)}`);
  }
};

const CHECKS: { readonly [K in keyof Faults]-?: Check } = {
  latency: ms,
  jitter: ms,
  bandwidth: (value, what) => {
    if (value === Infinity) return;
    number(0, "bytes per second")(value, what);
    if (value === 0) {
      throw new RangeError(`${what}: must be more than 0; see "cut" for none at all`);
    }
  },
  queue: count(0),
  loss: (value, what) => {
    if (typeof value !== "function") probability(value, what);
  },
  duplication: probability,
  reordering: probability,
  corruption: probability,
  slicing: checkSlicing,
  slowEnd: ms,
  cut: checkCut,
};

function checkSlicing(value: unknown, what: string): void {
  const { size, variation, delay } = members<Slicing>(value, what, ["size", "variation", "delay"]);
  count(1)(size, `${what}.size`);
  if (delay !== undefined) ms(delay, `${what}.delay`);
  if (variation === undefined) return;
  count(0)(variation, `${what}.variation`);
  if (typeof size === "number" && typeof variation === "number" && variation >= size) {
    throw new RangeError(
      `${what}.variation: must be less than the size ${size}, got ${show(variation)}`,
    );
  }
}

function checkCut(value: unknown, what: string): void {
  const { how, bytes, ms: after } = members<Cut>(value, what, ["how", "bytes", "ms"]);
  if (how !== "reset" && how !== "end" && how !== "stall") {
    throw new TypeError(`${what}.how: "reset", "end" or "stall" is needed, got ${show(how)}`);
  }
  if (bytes !== undefined) count(0)(bytes, `${what}.bytes`);
  if (after !== undefined) ms(after, `${what}.ms`);
}

/** The members of an object that has no others. */
function members<T>(
  value: unknown,
  what: string,
  keys: readonly (keyof T & string)[],
): { readonly [K in keyof T]?: unknown } {
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`${what}: { ${keys.join(", ")} } is needed, got ${show(value)}`);
  }
  for (const key of Object.keys(value)) {
    if (!keys.some((known) => known === key)) {
      throw new TypeError(`${what}: there is no ${show(key)}, only ${keys.join(", ")}`);
    }
  }
  return value;
}

function isFault(key: string): key is keyof Faults {
  return Object.hasOwn(CHECKS, key);
}

/**
 * Checks the faults of one direction.
 *
 * @param faults What the caller wrote.
 * @param what Its name, for errors.
 * @throws {TypeError} If a value is of a wrong kind.
 * @throws {RangeError} If a number is out of its range.
 */
function checkDirection(faults: unknown, what: string): void {
  if (typeof faults !== "object" || faults === null) {
    throw new TypeError(`${what}: an object with faults is needed, got ${show(faults)}`);
  }
  for (const [key, value] of Object.entries(faults)) {
    if (!isFault(key)) {
      const known = Object.keys(CHECKS).join(", ");
      throw new TypeError(`${what}: there is no ${show(key)}, only ${known}`);
    }
    if (value !== undefined) CHECKS[key](value, `${what}.${key}`);
  }
}

/** Checks what goes wrong on a path, of whatever kind the transports on it may be. */
export function checkPath({ upstream, downstream, down }: PathFaults): void {
  if (upstream !== undefined) checkDirection(upstream, "upstream");
  if (downstream !== undefined) checkDirection(downstream, "downstream");
  if (down !== undefined) flag(down, "down");
}

/** Checks that a transport of this kind can have these faults. */
export function checkKind(faults: PathFaults, kind: "stream" | "datagram"): void {
  for (const direction of ["upstream", "downstream"] as const) {
    for (const [key, value] of Object.entries(faults[direction] ?? {})) {
      const only = isFault(key) && value !== undefined && value !== 0 ? ONLY[key] : undefined;
      if (only === undefined || only === kind) continue;
      const why = only === "datagram"
        ? "a byte stream loses, repeats and reorders nothing: that is for datagrams"
        : "datagrams are whole and have no end: that is for byte streams";
      throw new TypeError(`${direction}.${key}: ${why}`);
    }
  }
}
