import type { NetAddr } from "./types.ts";

/**
 * Whether two canonical addresses are the same; one without a zone is the same in every zone. What has
 * no name is the same as nothing.
 */
export function isSame(a: NetAddr, b: NetAddr): boolean {
  if (a.port !== b.port) return false;
  if (a.hostname === b.hostname) return a.hostname !== "";
  // In a path a percent sign is nothing special.
  if (a.path !== undefined || b.path !== undefined) return false;
  const aZone = a.hostname.indexOf("%"), bZone = b.hostname.indexOf("%");
  if (aZone >= 0) return bZone < 0 && a.hostname.slice(0, aZone) === b.hostname;
  return bZone >= 0 && b.hostname.slice(0, bZone) === a.hostname;
}
