import type { ClassicNatName, NatBehaviour, NatFiltering } from "./types.ts";

const CONES: Readonly<Record<NatFiltering, ClassicNatName>> = {
  "endpoint-independent": "full cone NAT",
  "address-dependent": "restricted cone NAT",
  "address-and-port-dependent": "port restricted cone NAT",
  unknown: "unknown",
};

/**
 * The name of RFC 3489, section 5, that people know a behaviour by. For display only: the names say less
 * than the behaviour does, and nothing here goes by them.
 *
 * @param behaviour What was found out.
 * @returns The name; "unknown" where what decides between the names is unknown.
 *
 * @example
 * ```ts
 * import { classicName } from "@p2pd/pipes/stun";
 * import { assertEquals } from "@std/assert";
 *
 * const mapped = { transport: "udp", hostname: "192.0.2.1", port: 4711 } as const;
 * const found = { mapping: "endpoint-independent", filtering: "address-dependent", mapped } as const;
 * assertEquals(classicName(found), "restricted cone NAT");
 * ```
 */
export function classicName(
  { mapping, filtering, mapped }: Pick<NatBehaviour, "mapping" | "filtering" | "mapped">,
): ClassicNatName {
  if (mapped === undefined) return "blocked";
  if (mapping === "unknown") return "unknown";
  if (mapping === "endpoint-independent") return CONES[filtering];
  if (mapping !== "none") return "symmetric NAT";
  if (filtering === "unknown") return "unknown";
  return filtering === "endpoint-independent" ? "open Internet" : "symmetric UDP firewall";
}
