// @ts-types="./types.d.ts"
export { assertRejects } from "deno-std/assert/rejects.js";
