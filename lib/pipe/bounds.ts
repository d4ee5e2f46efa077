/** Bytes that a queue of datagrams holds before it drops the oldest. */
export const DATAGRAM_BOUND = 2 * 1024 * 1024;

/** A tiny message costs its bookkeeping, so that a flood of them is bounded too. */
const LEAST_SIZE = 64;

/** What a message counts against `readerLimit` and the datagram bound. */
export function messageSize(data: Uint8Array): number {
  return Math.max(LEAST_SIZE, data.length);
}
