/**
 * STUN servers that their operators let everybody use. This library asks none of them, nor any other,
 * unless you name it.
 *
 * @example
 * ```ts
 * import { PUBLIC_STUN_SERVERS } from "@p2pd/pipes/stun";
 * import { assert } from "@std/assert";
 *
 * // getMappings({ servers: PUBLIC_STUN_SERVERS }) asks all of them
 * assert(PUBLIC_STUN_SERVERS.every((server) => server.startsWith("stun:")));
 * ```
 */
export const PUBLIC_STUN_SERVERS: readonly string[] = Object.freeze([
  "stun:stun.l.google.com:19302",
  "stun:stun.cloudflare.com:3478",
  "stun:stun.nextcloud.com:443",
]);
