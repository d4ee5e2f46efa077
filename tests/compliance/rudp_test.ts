/** Acknowledged datagrams over every datagram driver. */
import { rudpOver } from "../../lib/rudp/driver.ts";
import { denoUdp } from "../../lib/transport/deno_udp.ts";
import { memoryDatagrams } from "../../lib/transport/memory.ts";
import { nodeUdp } from "../../lib/transport/node_udp.ts";
import type { Driver, DriverOptions } from "../../lib/transport/transport.ts";
import { hasDenoUdp, hasIPv6 } from "../helpers/probes.ts";
import { complianceSuite } from "./suite.ts";

/** A peer that is not there is given up soon, and none that is needs an acknowledgement twice. */
function hasty(driver: Driver): Driver {
  const options = ({ conf, signal }: DriverOptions) => ({
    conf: { ...conf, ackTimeout: 300, linger: 0 },
    signal,
  });
  return {
    name: driver.name,
    connect: (to, from, o) => driver.connect(to, from, options(o)),
    listen: (at, o) => driver.listen(at, options(o)),
  };
}

const all: readonly (readonly [driver: Driver, host: string, ignore: boolean])[] = [
  [memoryDatagrams(), "127.0.0.1", false],
  [nodeUdp, "127.0.0.1", false],
  [nodeUdp, "::1", !hasIPv6],
  [denoUdp, "127.0.0.1", !hasDenoUdp],
  [denoUdp, "::1", !hasDenoUdp || !hasIPv6],
];

for (const [udp, host, ignore] of all) {
  const driver = hasty(rudpOver(udp)), dual = host === "::1";
  complianceSuite(
    `${driver.name}, ${dual ? "IPv6" : "IPv4"}`,
    { kind: "datagram", driver, host, dual },
    ignore,
  );
}
