// @ts-types="./types.d.ts"
export { MuxAsyncIterator } from "deno-std/async/mux_async_iterator.js";
