/** Something a process may or may not do. */
export interface Capability {
  /** Whether it may. */
  readonly granted: boolean;
  /** The flag that allows it. */
  readonly flag: string;
}

/** What this process may do; see {@linkcode capabilities}. */
export interface Capabilities {
  /** Open sockets. False also where only some hosts are allowed. */
  readonly net: Capability;
  /** Use `Deno.listenDatagram` for UDP. Without it UDP works the same over `node:dgram`, slower. */
  readonly fastUdp: Capability;
  /** Use QUIC, which has no substitute. */
  readonly quic: Capability;
  /** Read the network interfaces. */
  readonly interfaces: Capability;
}

/**
 * Tells what this process may do, and which flag unlocks the rest. Never prompts.
 *
 * @returns Each capability with its flag.
 *
 * @example
 * ```ts
 * import { capabilities } from "@p2pd/pipes";
 *
 * const { fastUdp } = capabilities();
 * if (!fastUdp.granted) console.log(`UDP is faster with ${fastUdp.flag}`);
 * ```
 */
export function capabilities(): Capabilities {
  const granted = (descriptor: Deno.PermissionDescriptor) =>
    Deno.permissions.querySync(descriptor).state === "granted";
  return {
    net: { granted: granted({ name: "net" }), flag: "--allow-net" },
    fastUdp: { granted: typeof Deno.listenDatagram === "function", flag: "--unstable-net" },
    quic: { granted: typeof Deno.QuicEndpoint === "function", flag: "--unstable-net" },
    interfaces: {
      granted: granted({ name: "sys", kind: "networkInterfaces" }),
      flag: "--allow-sys=networkInterfaces",
    },
  };
}
