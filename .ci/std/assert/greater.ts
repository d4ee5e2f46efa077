// @ts-types="./types.d.ts"
export { assertGreater } from "deno-std/assert/greater.js";
