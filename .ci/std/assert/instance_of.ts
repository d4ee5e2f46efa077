// @ts-types="./types.d.ts"
export {
  type AnyConstructor,
  assertInstanceOf,
  type GetConstructorType,
} from "deno-std/assert/instance_of.js";
