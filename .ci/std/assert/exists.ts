// @ts-types="./types.d.ts"
export { assertExists } from "deno-std/assert/exists.js";
