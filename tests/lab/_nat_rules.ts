/**
 * What the NATs of nat_lab.ts do, as rules of nftables, and what Linux makes of them.
 *
 * @module
 */
import { INSIDE, OUTSIDE } from "./_nat_world.ts";

function post(...rules: readonly string[]): string {
  return `chain post { type nat hook postrouting priority 100
${rules.join("\n")}
}\n`;
}

function pre(...rules: readonly string[]): string {
  return `chain pre { type nat hook prerouting priority -100
${rules.join("\n")}
}\n`;
}

/** A router that says nothing to what is not for it; others answer with ICMP. */
export const QUIET = `chain input { type filter hook input priority 0
iifname "out" drop
}\n`;

/** Nothing comes in but answers. */
export const FIREWALL = `chain forward { type filter hook forward priority 0
iifname "out" ct state new drop
}\n`;

/** No UDP goes out. */
export const NO_UDP = `chain forward { type filter hook forward priority 0
meta l4proto udp drop
}\n`;

/**
 * Linux keeps the local port, and uses the mapping of a socket for every destination, as long as nobody
 * else has the port for the same destination; only answers come in.
 */
export const MASQUERADE = post(`oifname "out" masquerade`);
/** The same with ports of a range: one for all destinations of a socket. */
export const MASQUERADE_RANGE = post(`oifname "out" meta l4proto udp masquerade to :20000-29999`);
/** Another port for every destination. */
export const RANDOM = post(`oifname "out" masquerade random`);
export const FULLY_RANDOM = post(`oifname "out" masquerade fully-random`);

/** Another port for every address, by ranges that have nothing in common. */
export const BY_ADDRESS = post(
  `oifname "out" ip daddr 198.51.100.8 meta l4proto udp masquerade to :20000-29999`,
  `oifname "out" meta l4proto udp masquerade to :30000-39999`,
);

/** Everything that comes to the address goes to the client. */
export const FULL_CONE = pre(`iifname "out" meta l4proto udp dnat to ${INSIDE}`) + MASQUERADE;

/** The same once the client has sent from the port; and from inside, too, with its external address. */
export const FULL_CONE_HAIRPIN =
  `set open { type inet_service; flags dynamic,timeout; timeout 60s; }
` + pre(`ip daddr ${OUTSIDE} udp dport @open dnat to ${INSIDE}`) +
  post(
    `oifname "in" ip saddr 10.0.0.0/24 ip daddr 10.0.0.0/24 snat to ${OUTSIDE}`,
    `oifname "out" meta l4proto udp add @open { udp sport } masquerade`,
  );

/**
 * What comes from an address that the client has lately sent to from the port: not for long, as another
 * socket may get the port.
 */
export const FROM_KNOWN_ADDRESSES =
  `set seen { type inet_service . ipv4_addr; flags dynamic,timeout; timeout 30s; }
` + pre(`iifname "out" udp dport . ip saddr @seen dnat to ${INSIDE}`) +
  post(`oifname "out" meta l4proto udp update @seen { udp sport . ip daddr } masquerade`);

/** How many hosts {@linkcode sequential} has ports for, their addresses, and the step between ports. */
export const HOSTS = Array.from({ length: 25 }, (_, i) => `10.0.0.${100 + i}`), STEP = 3;
const PORTS = 128;

/** One port after the other, for each host by itself: so many at once would each see others' steps. */
export const SEQUENTIAL = post(...HOSTS.map((host, i) => {
  const port = (k: number) => 2000 + i * 2000 + k * STEP;
  const ports = Array.from({ length: PORTS }, (_, k) => `${k} : ${OUTSIDE} . ${port(k)}`).join(
    ", ",
  );
  return `oifname "out" ip saddr ${host} meta l4proto udp snat ip to numgen inc mod ${PORTS} map { ${ports} }`;
}));

/** Networks of the client's that are public, and go out as they are. */
export const PUBLIC_NETWORK = "203.0.113.0/24";
export const MASQUERADE_PRIVATE = post(
  `ip saddr ${PUBLIC_NETWORK} accept`,
  `oifname "out" masquerade`,
);
