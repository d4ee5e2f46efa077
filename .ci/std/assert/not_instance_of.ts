// @ts-types="./types.d.ts"
export { assertNotInstanceOf } from "deno-std/assert/not_instance_of.js";
