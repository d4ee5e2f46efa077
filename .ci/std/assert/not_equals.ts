// @ts-types="./types.d.ts"
export { assertNotEquals } from "deno-std/assert/not_equals.js";
