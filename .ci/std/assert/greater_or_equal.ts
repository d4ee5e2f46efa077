// @ts-types="./types.d.ts"
export { assertGreaterOrEqual } from "deno-std/assert/greater_or_equal.js";
