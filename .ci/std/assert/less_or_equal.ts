// @ts-types="./types.d.ts"
export { assertLessOrEqual } from "deno-std/assert/less_or_equal.js";
