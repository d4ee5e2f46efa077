import { denoTcp } from "../../lib/transport/deno_tcp.ts";
import { denoUdp } from "../../lib/transport/deno_udp.ts";
import { memoryDatagrams, memoryStreams } from "../../lib/transport/memory.ts";
import { nodeTcp } from "../../lib/transport/node_tcp.ts";
import { nodeUdp } from "../../lib/transport/node_udp.ts";
import { unixAddr } from "../../lib/transport/addr.ts";
import { unixStreams } from "../../lib/transport/unix.ts";
import { hasDenoUdp, hasIPv6 } from "../helpers/probes.ts";
import { abstractName, freePath, hasAbstract, hasPaths } from "../helpers/unix.ts";
import { socketStreams, transformStreams } from "./stream_pairs.ts";
import { complianceSuite } from "./suite.ts";

for (const host of ["127.0.0.1", "::1"]) {
  const dual = host === "::1";
  const family = dual ? "IPv6" : "IPv4";
  const ignore = dual && !hasIPv6;

  const stream = { kind: "stream", host, dual } as const;
  complianceSuite(
    `Deno TCP, ${family}`,
    { ...stream, driver: denoTcp, resets: false },
    ignore,
  );
  complianceSuite(
    `Deno TCP from node:net, ${family}`,
    { ...stream, driver: denoTcp, peer: nodeTcp, resets: true },
    ignore,
  );
  complianceSuite(`node:net TCP, ${family}`, { ...stream, driver: nodeTcp, resets: true }, ignore);
  complianceSuite(
    `node:net TCP from Deno, ${family}`,
    { ...stream, driver: nodeTcp, peer: denoTcp, resets: false },
    ignore,
  );
  complianceSuite(
    `memory stream, ${family}`,
    { ...stream, driver: memoryStreams(), resets: true },
  );

  const datagram = { kind: "datagram", host, dual } as const;
  complianceSuite(`Deno UDP, ${family}`, { ...datagram, driver: denoUdp }, ignore || !hasDenoUdp);
  complianceSuite(`node:dgram UDP, ${family}`, { ...datagram, driver: nodeUdp }, ignore);
  complianceSuite(`memory datagram, ${family}`, { ...datagram, driver: memoryDatagrams() });
}

const stream = { kind: "stream", host: "127.0.0.1", dual: false } as const;
const unix = { ...stream, names: "path", driver: unixStreams, resets: false } as const;
complianceSuite("Unix path", { ...unix, place: () => unixAddr("tcp", freePath()) }, !hasPaths);
complianceSuite(
  "Unix abstract name",
  { ...unix, place: () => unixAddr("tcp", abstractName()) },
  !hasAbstract,
);

const pair = { ...stream, names: "none" } as const;
complianceSuite("transform streams", { ...pair, driver: transformStreams(), resets: true });
complianceSuite(
  "streams of a memory stream",
  { ...pair, driver: socketStreams(memoryStreams()), resets: true },
);
complianceSuite(
  "streams of Deno TCP",
  { ...pair, driver: socketStreams(denoTcp), resets: false },
);
