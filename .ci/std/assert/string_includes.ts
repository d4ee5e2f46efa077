// @ts-types="./types.d.ts"
export { assertStringIncludes } from "deno-std/assert/string_includes.js";
