/**
 * Whether this process has `--unstable-net`: `Deno.listenDatagram`, and `reusePort` of `Deno.listen`.
 * The types say that they are there always.
 */
export function unstableNet(): boolean {
  return typeof Deno.listenDatagram === "function";
}
