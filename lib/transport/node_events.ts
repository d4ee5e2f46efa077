import type { EventEmitter } from "node:events";
import { translate } from "./error.ts";

/**
 * Starts something and resolves at an event, which may come before `start` returns; rejects at an
 * error, translated, or with the reason of the signal. No listener stays behind.
 */
export function until(
  emitter: EventEmitter,
  event: string,
  signal: AbortSignal,
  start: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (action: () => void) => {
      emitter.off(event, onEvent);
      emitter.off("error", onError);
      signal.removeEventListener("abort", onAbort);
      action();
    };
    const onEvent = () => settle(resolve);
    const onError = (error: Error) => settle(() => reject(translate(error)));
    const onAbort = () => settle(() => reject(signal.reason));
    emitter.on(event, onEvent);
    emitter.on("error", onError);
    signal.addEventListener("abort", onAbort);
    try {
      start();
    } catch (error) {
      settle(() => reject(translate(error)));
    }
  });
}
