// @ts-types="./types.d.ts"
export { unimplemented } from "deno-std/assert/unimplemented.js";
