import { show } from "../net/show.ts";
import { checkCount, checkFunction, checkOptions, flag } from "./checks.ts";

/**
 * What a full queue does with one item more: "block" refuses it, so that the producer stops; the others
 * make room at the one or the other end.
 */
export type Overflow = "block" | "drop-oldest" | "drop-newest";

/** Options of a {@linkcode MessageQueue}. */
export interface MessageQueueOptions<T> {
  /** Items it holds; 0: as many as `maxBytes` allows. @default {0} */
  readonly maxItems?: number | undefined;
  /** Bytes it holds, counted by `sizeOf`. @default {Infinity} */
  readonly maxBytes?: number | undefined;
  /** The size of an item in bytes. @default {() => 0} */
  readonly sizeOf?: ((item: T) => number) | undefined;
  /** What happens when it is full. @default {"block"} */
  readonly overflow?: Overflow | undefined;
  /** Called when an item starts to wait; one that a waiting reader gets at once never does. */
  readonly onEnter?: ((item: T) => void) | undefined;
  /** Called when an item that waited is taken, dropped or cleared. */
  readonly onLeave?: ((item: T) => void) | undefined;
  /** Called with each item dropped, after `onLeave` if it had waited. */
  readonly onDrop?: ((item: T) => void) | undefined;
  /**
   * Keeps the timer for timeouts running between waits, which makes waiting much cheaper; it ends when
   * the queue is closed. @default {false}
   */
  readonly keepTimer?: boolean | undefined;
}

/** Those that are functions, and all. */
const CALLED = ["sizeOf", "onEnter", "onLeave", "onDrop"] as const;
const KEYS = ["maxItems", "maxBytes", ...CALLED, "overflow", "keepTimer"] as const;

/** Throws a TypeError or RangeError that names the option that is wrong. */
export function checkQueueOptions<T>(options: MessageQueueOptions<T>): MessageQueueOptions<T> {
  const { maxItems = 0, maxBytes = Infinity, overflow = "block", keepTimer = false } = checkOptions(
    options,
    ...KEYS,
  );
  checkCount(maxItems, "maxItems");
  if (typeof maxBytes !== "number") {
    throw new TypeError(`maxBytes: a number is needed, got ${show(maxBytes)}`);
  }
  if (!(maxBytes >= 0)) {
    throw new RangeError(`maxBytes: must be a number of 0 or more, got ${maxBytes}`);
  }
  if (overflow !== "block" && overflow !== "drop-oldest" && overflow !== "drop-newest") {
    throw new TypeError(
      `overflow: "block", "drop-oldest" or "drop-newest" is needed, got ${show(overflow)}`,
    );
  }
  for (const key of CALLED) {
    if (options[key] !== undefined) checkFunction(options[key], key);
  }
  flag(keepTimer, "keepTimer");
  return options;
}
