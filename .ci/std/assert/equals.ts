// @ts-types="./types.d.ts"
export { assertEquals } from "deno-std/assert/equals.js";
