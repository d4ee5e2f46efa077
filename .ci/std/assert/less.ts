// @ts-types="./types.d.ts"
export { assertLess } from "deno-std/assert/less.js";
