import type { NetAddr } from "../pipe/types.ts";
import type { TransportError } from "./error.ts";
import type { SendReport } from "./transport.ts";

/** A send that is refused at once. */
export function refused(
  failure: TransportError,
  to: NetAddr | undefined,
  report: SendReport | undefined,
): Promise<never> {
  return Promise.reject(report === undefined ? failure : report.failed(failure, to));
}

/**
 * A send with its report, for transports whose promises are made elsewhere.
 *
 * @param sending Resolves when the system took the data.
 * @param size The bytes of the data.
 */
export function reported(
  sending: Promise<unknown>,
  size: number,
  to: NetAddr | undefined,
  report: SendReport | undefined,
): Promise<number> {
  return sending.then(() => {
    report?.sent(size);
    return size;
  }, (error) => {
    throw report === undefined ? error : report.failed(error, to);
  });
}
