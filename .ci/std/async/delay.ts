// @ts-types="./types.d.ts"
export { delay, type DelayOptions } from "deno-std/async/delay.js";
