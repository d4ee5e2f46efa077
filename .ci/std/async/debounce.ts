// @ts-types="./types.d.ts"
export { debounce, type DebouncedFunction, type DebounceOptions } from "deno-std/async/debounce.js";
