// @ts-types="./types.d.ts"
export { pooledMap } from "deno-std/async/pool.js";
