// @ts-types="./types.d.ts"
export { retry, RetryError, type RetryOptions } from "deno-std/async/retry.js";
