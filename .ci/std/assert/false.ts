// @ts-types="./types.d.ts"
export { assertFalse, type Falsy } from "deno-std/assert/false.js";
