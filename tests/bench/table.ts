/** From the figures of all rounds to text. */
import type { Measurement, Stack } from "./plan.ts";

/** What one stack achieved. */
export interface Row {
  readonly stack: Stack;
  /** One figure for each round. */
  readonly rates: readonly number[];
  /** Datagrams sent again because no answer came any more, all rounds together. */
  readonly resent: number;
}

/** The middle one, or the mean of the two in the middle. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const middle = sorted.slice(Math.ceil(half) - 1, Math.floor(half) + 1);
  return middle.reduce((a, b) => a + b, 0) / middle.length;
}

/** The table of one measurement. The first row is what the others are compared with. */
export function table({ title, unit }: Measurement, rows: readonly Row[]): string {
  const lines = [title, line("", unit, "ratio", "all rounds")];
  const base = rows[0]?.rates ?? [];
  for (const { stack, rates, resent } of rows) {
    // Round by round, so that a machine that was slow for a while was so for both.
    const ratios = rates.map((rate, round) => rate / (base[round] ?? NaN));
    const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    const rate = Math.round(median(rates)).toLocaleString("en-US");
    const text = line(stack.name, rate, median(ratios).toFixed(2), rates === base ? "" : range);
    lines.push(resent > 0 ? `${text}  (${resent} sent again)` : text);
  }
  return lines.join("\n") + "\n";
}

function line(name: string, rate: string, ratio: string, range: string): string {
  return `  ${name.padEnd(26)}${rate.padStart(10)}${ratio.padStart(8)}   ${range}`.trimEnd();
}
