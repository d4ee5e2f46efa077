/**
 * Megabytes that the JavaScript of this test file holds: its heap and its buffers. The resident memory is
 * the whole process's, in which other test files run at the same time.
 */
export function ownMemory(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return (heapUsed + external) / 1e6;
}
