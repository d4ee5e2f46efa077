import { type DatagramSubject, type StreamSubject, transportCompliance } from "@p2pd/pipes/testing";

/**
 * Registers a test for every obligation of the seam. Leak sanitizers are on: what a check opened and an
 * adapter did not close fails it.
 *
 * @param name Of the adapter, for the tests' names.
 * @param subject The adapter.
 * @param ignore Whether this machine or process cannot run it; shown as ignored.
 */
export function complianceSuite(
  name: string,
  subject: StreamSubject | DatagramSubject,
  ignore = false,
): void {
  for (const { name: obligation, run } of transportCompliance(subject)) {
    Deno.test({
      name: `${name}: ${obligation}`,
      ignore,
      sanitizeOps: true,
      sanitizeResources: true,
      fn: run,
    });
  }
}
