// @ts-types="./types.d.ts"
export { assertAlmostEquals } from "deno-std/assert/almost_equals.js";
