/**
 * What a network card may be, by its name. Deno has nothing better to tell it by.
 *
 * @module
 */

/**
 * A guess. "virtual" are bridges and cards of containers and virtual machines, "tunnel" VPNs and
 * dial-up links.
 */
export type InterfaceKind =
  | "loopback"
  | "ethernet"
  | "wifi"
  | "cellular"
  | "bluetooth"
  | "tunnel"
  | "virtual"
  | "unknown";

/** The first that fits. Names of Linux, the BSDs and macOS start with a driver; Windows has words. */
const NAMES: ReadonlyArray<readonly [InterfaceKind, RegExp]> = [
  ["loopback", /^lo\d*$|loopback/i],
  [
    "virtual",
    /^(docker|veth|virbr|vmnet|vnet|vboxnet|br-|br\d|bridge|cni|flannel|cali|lxc|lxd|podman|dummy|ifb|ap\d|anpi|vethernet)|vmware|virtualbox|hyper-v/i,
  ],
  [
    "tunnel",
    /^(utun|tun|tap|wg|ppp|ipsec|gif|stf|sit|gre|ip6tnl|zt|tailscale|nordlynx|proton)|\bvpn\b|teredo|isatap|wintun|wireguard|openvpn/i,
  ],
  ["bluetooth", /^bnep|^pan\d|bluetooth/i],
  ["cellular", /^(wwan|ww[a-z]|rmnet|ccmni|pdp_ip)|cellular|mobile/i],
  ["wifi", /^(wl|wifi|ath\d|awdl|llw)|wi-?fi|wireless|wlan/i],
  [
    "ethernet",
    /^(eth|en|em\d|igb|ixl?\d|re\d|vtnet|bond|ethernet)|ethernet|local area connection/i,
  ],
];

/**
 * Guesses what a card is.
 *
 * @param name Its name.
 * @returns The kind; "unknown" if the name says nothing.
 */
export function guessKind(name: string): InterfaceKind {
  for (const [kind, names] of NAMES) if (names.test(name)) return kind;
  return "unknown";
}

const KINDS: readonly unknown[] = [...NAMES.map(([kind]) => kind), "unknown"];

/**
 * Whether a value is a kind of card.
 *
 * @param kind Any value.
 * @returns True if it is.
 */
export function isKind(kind: unknown): kind is InterfaceKind {
  return KINDS.includes(kind);
}
