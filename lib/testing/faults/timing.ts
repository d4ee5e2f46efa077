/**
 * When something has left through a limited bandwidth.
 *
 * @param now When it came.
 * @param free When what came before it has left.
 * @param size Its bytes.
 * @param bandwidth Bytes per second.
 * @returns The time at which its last byte leaves, by the clock of `now`.
 */
export function departure(now: number, free: number, size: number, bandwidth: number): number {
  return Math.max(now, free) + (bandwidth === Infinity ? 0 : size / bandwidth * 1000);
}
