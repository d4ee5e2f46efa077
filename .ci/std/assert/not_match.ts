// @ts-types="./types.d.ts"
export { assertNotMatch } from "deno-std/assert/not_match.js";
