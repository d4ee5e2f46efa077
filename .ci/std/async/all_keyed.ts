// @ts-types="./types.d.ts"
export {
  allKeyed,
  allSettledKeyed,
  type PromiseRecord,
  type SettledRecord,
} from "deno-std/async/all_keyed.js";
