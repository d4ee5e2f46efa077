// @ts-types="./types.d.ts"
export { assertThrows } from "deno-std/assert/throws.js";
