// @ts-types="./types.d.ts"
export { equal } from "deno-std/assert/equal.js";
