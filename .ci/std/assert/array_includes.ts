// @ts-types="./types.d.ts"
export { type ArrayLikeArg, assertArrayIncludes } from "deno-std/assert/array_includes.js";
