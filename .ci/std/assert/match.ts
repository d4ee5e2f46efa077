// @ts-types="./types.d.ts"
export { assertMatch } from "deno-std/assert/match.js";
