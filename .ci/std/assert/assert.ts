// @ts-types="./types.d.ts"
export { assert } from "deno-std/assert/assert.js";
