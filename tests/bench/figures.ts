/** From the figures of all rounds to text. */

/** The middle one, or the mean of the two in the middle. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const middle = sorted.slice(Math.ceil(half) - 1, Math.floor(half) + 1);
  return middle.reduce((a, b) => a + b, 0) / middle.length;
}

/**
 * Figure by figure, the quotient with another row's of the same round: a machine that was slow for a
 * while was so for both.
 */
export function ratios(figures: readonly number[], base: readonly number[]): number[] {
  return figures.map((figure, round) => figure / (base[round] ?? NaN));
}

/** Figure by figure, the difference from another row's of the same round. */
export function differences(figures: readonly number[], base: readonly number[]): number[] {
  return figures.map((figure, round) => figure - (base[round] ?? NaN));
}

/** A number as text. */
export function decimal(value: number, digits: number): string {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return value.toLocaleString("en-US", options);
}

/** The median as text. */
export function middle(figures: readonly number[], digits = 2): string {
  return decimal(median(figures), digits);
}

/** From the least to the greatest, as text. */
export function range(figures: readonly number[], digits = 2): string {
  return `${decimal(Math.min(...figures), digits)}-${decimal(Math.max(...figures), digits)}`;
}
