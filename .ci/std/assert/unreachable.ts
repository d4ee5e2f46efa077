// @ts-types="./types.d.ts"
export { unreachable } from "deno-std/assert/unreachable.js";
