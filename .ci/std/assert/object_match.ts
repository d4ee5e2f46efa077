// @ts-types="./types.d.ts"
export { assertObjectMatch } from "deno-std/assert/object_match.js";
