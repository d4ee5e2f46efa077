// @ts-types="./types.d.ts"
export { poll, type PollOptions } from "deno-std/async/poll.js";
