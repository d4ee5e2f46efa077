/** Faults that a transport may have leave every promise of the seam as it is. */
import { type Faults, faultyNetwork, memoryNetwork } from "@p2pd/pipes/testing";
import { denoUdp } from "../../lib/transport/deno_udp.ts";
import { memoryDatagrams, memoryStreams } from "../../lib/transport/memory.ts";
import { nodeTcp } from "../../lib/transport/node_tcp.ts";
import { nodeUdp } from "../../lib/transport/node_udp.ts";
import { hasDenoUdp } from "../helpers/probes.ts";
import { complianceSuite } from "./suite.ts";

const both = (faults: Faults) => ({ upstream: faults, downstream: faults });
const late = { latency: 1 };
// Pieces that divide no size of the suite.
const rough = { latency: 1, jitter: 1, slicing: { size: 7919, variation: 7000 } };

const stream = { kind: "stream", host: "127.0.0.1", resets: true } as const;
const network = memoryNetwork();
complianceSuite("memory network, streams", { ...stream, driver: network.streams, dual: true });
complianceSuite(
  "memory network, streams, slow and in pieces",
  { ...stream, driver: memoryNetwork(both(rough)).streams, dual: true },
);
complianceSuite(
  "memory streams with a faulty end, without faults",
  { ...stream, driver: faultyNetwork().over(memoryStreams()) },
);
complianceSuite(
  "memory streams with a faulty end, slow and in pieces",
  { ...stream, driver: faultyNetwork(both(rough)).over(memoryStreams()) },
);
complianceSuite(
  "node:net TCP with a faulty end, slow and in pieces",
  { ...stream, driver: faultyNetwork(both(rough)).over(nodeTcp) },
);

const datagram = { kind: "datagram", host: "127.0.0.1" } as const;
complianceSuite("memory network, datagrams", { ...datagram, driver: network.datagrams });
complianceSuite(
  "memory network, datagrams, slow",
  { ...datagram, driver: memoryNetwork(both(late)).datagrams },
);
complianceSuite(
  "memory datagrams with a faulty end, slow",
  { ...datagram, driver: faultyNetwork(both(late)).over(memoryDatagrams()) },
);
complianceSuite(
  "node:dgram UDP with a faulty end, slow",
  { ...datagram, driver: faultyNetwork(both(late)).over(nodeUdp) },
);
complianceSuite(
  "Deno UDP with a faulty end, slow",
  { ...datagram, driver: faultyNetwork(both(late)).over(denoUdp) },
  !hasDenoUdp,
);
