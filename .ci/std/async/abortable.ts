// @ts-types="./types.d.ts"
export { abortable } from "deno-std/async/abortable.js";
