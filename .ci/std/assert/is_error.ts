// @ts-types="./types.d.ts"
export { assertIsError } from "deno-std/assert/is_error.js";
