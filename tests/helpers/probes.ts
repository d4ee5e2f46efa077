/**
 * What this machine and process can do. A test that needs more is ignored, which `deno test` shows.
 *
 * @module
 */

/** Whether an address can be bound to. */
export function canBind(hostname: string): boolean {
  try {
    Deno.listen({ hostname, port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

/** Whether there is IPv6, on the loopback interface at least. */
export const hasIPv6 = canBind("::1");

/** Whether the process has `Deno.listenDatagram`, by `--unstable-net`. */
export const hasDenoUdp = typeof Deno.listenDatagram === "function";

/** A link-local address of this machine with its zone, if there is one that it may know of. */
export function linkLocalAddress(): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" });
  if (state !== "granted") return undefined;
  return Deno.networkInterfaces()
    .filter(({ address }) => address.startsWith("fe80:"))
    .map(({ address, name }) => `${address}%${name}`)
    .find(canBind);
}
