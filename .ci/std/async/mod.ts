/**
 * Stand-in for `jsr:@std/async` where JSR is out of reach: the real code, from npm's `deno-std`,
 * with the types that the npm package leaves out (`types.d.ts`). Module by module, because its own
 * `async/mod.js` does not load: `channel.js` imports a file that was not packed. So no channel here.
 *
 * @module
 */
export * from "./abortable.ts";
export * from "./all_keyed.ts";
export * from "./deadline.ts";
export * from "./debounce.ts";
export * from "./delay.ts";
export * from "./lazy.ts";
export * from "./mux_async_iterator.ts";
export * from "./poll.ts";
export * from "./pool.ts";
export * from "./retry.ts";
export * from "./tee.ts";
