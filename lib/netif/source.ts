/**
 * Where network cards are read from: the system, or whatever a test puts in its place.
 *
 * @module
 */
import { PipeError } from "../errors.ts";
import { show } from "../net/show.ts";
import { type DefaultRoute, parseProcIpv6Route, parseProcRoute } from "./default_route.ts";

/** What is known about the network cards; the system's own by default. */
export interface InterfaceSource {
  /**
   * The addresses of all cards, one element for each.
   *
   * @returns What `Deno.networkInterfaces()` returns.
   */
  interfaces(): readonly Deno.NetworkInterfaceInfo[];
  /**
   * The routes to everywhere.
   *
   * @returns The default routes, best first; none where they cannot be read.
   */
  defaultRoutes?(): readonly DefaultRoute[];
  /**
   * What the zone of a link-local address is: "name" gives fe80::1%eth0, "index" fe80::1%4, which is
   * all that Windows understands. @default {"name"}
   */
  readonly zones?: "name" | "index";
}

/** A source, or only the function that lists the addresses. */
export type InterfaceSourceLike = InterfaceSource | InterfaceSource["interfaces"];

const FLAG = "--allow-sys=networkInterfaces";

/** Whether the process may read the network interfaces; asked first, as reading itself would prompt. */
export function mayReadInterfaces(): boolean {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" });
  return state === "granted";
}

function listAddresses(): readonly Deno.NetworkInterfaceInfo[] {
  if (mayReadInterfaces()) return Deno.networkInterfaces();
  const message = `Cannot read the network interfaces: no permission, run with ${FLAG}`;
  throw new PipeError(message, { phase: "permission" });
}

/**
 * A file's text, or "" where it cannot be read. Deno hands out /proc to processes with all permissions
 * only, although it says "granted" to those with `--allow-read`; it does not prompt then.
 */
function readIfAllowed(path: string): string {
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return "";
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function readDefaultRoutes(): readonly DefaultRoute[] {
  if (Deno.build.os !== "linux") return [];
  return [
    ...parseProcRoute(readIfAllowed("/proc/net/route")),
    ...parseProcIpv6Route(readIfAllowed("/proc/net/ipv6_route")),
  ];
}

/** The system's network cards. Reads anew at each call, and never prompts. */
export const SYSTEM_SOURCE: InterfaceSource = Object.freeze({
  interfaces: listAddresses,
  defaultRoutes: readDefaultRoutes,
  zones: Deno.build.os === "windows" ? "index" : "name",
});

/**
 * Checks a source.
 *
 * @param source What the caller gave; undefined: the system.
 * @returns The source.
 * @throws {TypeError} If it is none.
 */
export function toSource(source: unknown): InterfaceSource {
  if (source === undefined) return SYSTEM_SOURCE;
  if (isLister(source)) return { interfaces: source };
  if (isSource(source)) return source;
  throw new TypeError(`source: a function or { interfaces } is needed, got ${show(source)}`);
}

function isLister(source: unknown): source is InterfaceSource["interfaces"] {
  return typeof source === "function";
}

function isSource(source: unknown): source is InterfaceSource {
  return typeof source === "object" && source !== null && "interfaces" in source &&
    typeof source.interfaces === "function" &&
    (!("defaultRoutes" in source) || source.defaultRoutes === undefined ||
      typeof source.defaultRoutes === "function");
}
