// @ts-types="./types.d.ts"
export { Lazy, type LazyGetOptions } from "deno-std/async/lazy.js";
