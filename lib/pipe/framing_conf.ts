import type { Framing } from "../framing/framing.ts";
import { show } from "../net/show.ts";
import { checkFunction, count } from "./checks.ts";

/** Checks `conf.framing`. */
export function checkFraming(value: unknown, what: string): void {
  if (value === null || value === "raw") return;
  if (typeof value !== "object") {
    const call = typeof value === "function" ? " (call it: lines(), and not lines)" : "";
    throw new TypeError(
      `${what}: null, "raw" or a framing as lines() makes it is needed, got ${show(value)}${call}`,
    );
  }
  // They may be methods of a class.
  const member = (key: keyof Framing): unknown => Reflect.get(value, key);
  for (const key of ["encode", "decode"] as const) checkFunction(member(key), `${what}.${key}`);
  const [name, maxFrame, decodeEnd] = [member("name"), member("maxFrame"), member("decodeEnd")];
  if (decodeEnd !== undefined) checkFunction(decodeEnd, `${what}.decodeEnd`);
  if (maxFrame !== undefined) count(1)(maxFrame, `${what}.maxFrame`);
  if (name !== undefined && typeof name !== "string") {
    throw new TypeError(`${what}.name: a string is needed, got ${show(name)}`);
  }
}
