// @ts-types="./types.d.ts"
export { fail } from "deno-std/assert/fail.js";
