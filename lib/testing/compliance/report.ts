import { assert } from "@std/assert/assert";
import { assertEquals } from "@std/assert/equals";
import { TransportError } from "../../transport/error.ts";
import type { SendReport, Transport } from "../../transport/transport.ts";
import type { NetAddr } from "../../pipe/types.ts";

/** What a report was told, in order, with what its promises came to. */
class Diary implements SendReport {
  readonly lines: string[] = [];
  readonly errors: unknown[] = [];

  sent(size: number): void {
    this.lines.push(`sent ${size}`);
  }

  failed(error: unknown): unknown {
    this.lines.push("failed");
    this.errors.push(error);
    return new RangeError("as the report says");
  }

  async write(sending: Promise<number>): Promise<void> {
    try {
      this.lines.push(`resolved ${await sending}`);
    } catch (error) {
      this.lines.push(error instanceof RangeError ? `rejected ${error.message}` : "rejected");
    }
  }
}

/** Overlapping sends: each resolves with its size, after its report was told of it, once. */
export async function assertReports(
  transport: Transport,
  sizes: readonly number[],
  to?: NetAddr,
): Promise<void> {
  const diary = new Diary();
  const data = sizes.map((size) => new Uint8Array(size));
  await Promise.all(data.map((bytes) => diary.write(transport.send(bytes, to, diary))));
  const { lines } = diary;
  for (const what of ["sent", "resolved"]) {
    const told = lines.filter((line) => line.startsWith(what));
    assertEquals(told, sizes.map((size) => `${what} ${size}`));
  }
  for (const size of sizes) {
    assert(lines.indexOf(`sent ${size}`) < lines.indexOf(`resolved ${size}`), lines.join(", "));
  }
  assertEquals(lines.length, 2 * sizes.length);
}

/** A send by a closed transport: the report is told once, and says what the promise rejects with. */
export async function assertRefusal(transport: Transport, to?: NetAddr): Promise<void> {
  const diary = new Diary();
  await diary.write(transport.send(new Uint8Array(1), to, diary));
  assertEquals(diary.lines, ["failed", "rejected as the report says"]);
  const [error] = diary.errors;
  assert(error instanceof TransportError && error.fault === "closed", Deno.inspect(error));
}
