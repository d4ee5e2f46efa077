// @ts-types="./types.d.ts"
export { assertStrictEquals } from "deno-std/assert/strict_equals.js";
