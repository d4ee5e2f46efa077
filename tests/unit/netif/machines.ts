/** Interface lists as Deno gives them on three systems, and sources made of them. */
import type { DefaultRoute } from "../../../lib/netif/default_route.ts";
import type { InterfaceSource } from "../../../lib/netif/source.ts";
import type { Family } from "../../../lib/pipe/types.ts";

const MASKS: Readonly<Record<string, string>> = {
  "IPv4/8": "255.0.0.0",
  "IPv4/16": "255.255.0.0",
  "IPv4/20": "255.255.240.0",
  "IPv4/24": "255.255.255.0",
  "IPv4/32": "255.255.255.255",
  "IPv6/64": "ffff:ffff:ffff:ffff::",
  "IPv6/128": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

/** One address; without a prototype, as Deno's are. */
export function info(
  name: string,
  cidr: string,
  mac = "02:00:00:00:00:01",
  scopeid = 0,
): Deno.NetworkInterfaceInfo {
  const [address = "", prefix] = cidr.split("/");
  const family: Family = address.includes(":") ? "IPv6" : "IPv4";
  const netmask = MASKS[`${family}/${prefix}`] ?? "";
  const scope = family === "IPv4" ? null : scopeid;
  const entry = { family, name, address, netmask, scopeid: scope, cidr, mac };
  return Object.assign(Object.create(null), entry);
}

const NONE = "00:00:00:00:00:00";

/** A server with a public and a private address, a container bridge and a VPN. */
export const linux: readonly Deno.NetworkInterfaceInfo[] = [
  info("lo", "127.0.0.1/8", NONE),
  info("docker0", "172.17.0.1/16", "02:42:aa:00:00:01"),
  info("eth0", "10.0.0.5/24", "52:54:00:00:00:01"),
  info("eth0", "8.8.4.5/24", "52:54:00:00:00:01"),
  info("eth0", "8.8.4.6/24", "52:54:00:00:00:01"),
  info("eth1", "192.168.7.2/24", "52:54:00:00:00:02"),
  info("wg0", "10.99.0.2/32", NONE),
  info("lo", "::1/128", NONE),
  info("eth0", "2600:1:2:3::5/64", "52:54:00:00:00:01"),
  info("eth0", "2600:1:2:3:aaaa::6/64", "52:54:00:00:00:01"),
  info("eth0", "fd12::5/64", "52:54:00:00:00:01"),
  info("eth0", "fe80::5054:ff:fe00:1/64", "52:54:00:00:00:01", 2),
  info("eth1", "fe80::5054:ff:fe00:2/64", "52:54:00:00:00:02", 3),
];

/** A laptop behind a NAT. */
export const mac: readonly Deno.NetworkInterfaceInfo[] = [
  info("lo0", "127.0.0.1/8", NONE),
  info("lo0", "::1/128", NONE),
  info("lo0", "fe80::1/64", NONE, 1),
  info("anpi0", "fe80::c0:1/64", "f2:00:00:00:00:04", 4),
  info("en0", "fe80::1c2b:1/64", "a4:83:e7:00:00:01", 11),
  info("en0", "192.168.1.23/24", "a4:83:e7:00:00:01"),
  info("awdl0", "fe80::a0:1/64", "f2:00:00:00:00:05", 12),
  info("utun3", "fe80::ce81:1/64", NONE, 15),
];

/** Names with spaces, and zones that only work as numbers. */
export const windows: readonly Deno.NetworkInterfaceInfo[] = [
  info("vEthernet (WSL)", "fe80::15:1/64", "00:15:5d:00:00:01", 38),
  info("vEthernet (WSL)", "172.28.0.1/20", "00:15:5d:00:00:01"),
  info("Wi-Fi", "fe80::8d:1/64", "3c:a9:f4:00:00:01", 14),
  info("Wi-Fi", "192.168.178.30/24", "3c:a9:f4:00:00:01"),
  info("Loopback Pseudo-Interface 1", "::1/128", NONE),
  info("Loopback Pseudo-Interface 1", "127.0.0.1/8", NONE),
];

/** Nothing is plugged in. */
export const offline: readonly Deno.NetworkInterfaceInfo[] = [
  info("lo", "127.0.0.1/8", NONE),
  info("lo", "::1/128", NONE),
];

/** A default route. */
export function via(name: string, gateway: string | undefined, metric = 0): DefaultRoute {
  return { family: gateway?.includes(":") ? "IPv6" : "IPv4", name, gateway, metric };
}

/** A source of these addresses and default routes. */
export function source(
  infos: readonly Deno.NetworkInterfaceInfo[],
  ...routes: readonly DefaultRoute[]
): InterfaceSource {
  return { interfaces: () => infos, defaultRoutes: () => routes };
}
