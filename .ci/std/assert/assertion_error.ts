// @ts-types="./types.d.ts"
export { AssertionError } from "deno-std/assert/assertion_error.js";
