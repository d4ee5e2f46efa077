// @ts-types="./types.d.ts"
export { assertNotStrictEquals } from "deno-std/assert/not_strict_equals.js";
