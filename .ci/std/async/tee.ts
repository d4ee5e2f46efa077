// @ts-types="./types.d.ts"
export { tee, type Tuple, type TupleOf } from "deno-std/async/tee.js";
