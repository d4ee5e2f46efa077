// @ts-types="./types.d.ts"
export { deadline, type DeadlineOptions } from "deno-std/async/deadline.js";
