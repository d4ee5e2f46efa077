/**
 * Stand-in for `jsr:@std/net` where JSR is out of reach. npm's `deno-std` does not have it, so this
 * is our own code with the original's signatures and results. As there, the main entry point has
 * `getAvailablePort` only: the rest is imported from the single modules (`@std/net/unstable-ip`).
 *
 * @module
 */
export * from "./get_available_port.ts";
