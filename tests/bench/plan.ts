/** What is measured: the tables of the report. */
import type { Service } from "./protocol.ts";
import type { StackId } from "./stacks.ts";

/** What every table has. */
interface Common {
  /** What `--only` calls it. */
  readonly id: string;
  readonly title: string;
  /** The rows. The first is what the others are compared with. */
  readonly stacks: readonly StackId[];
}

/** How much a server moves in a time. */
export interface Throughput extends Common {
  readonly kind: "throughput";
  readonly workload: Service;
  /** Connections (TCP), or datagrams under way (UDP), at a time. */
  readonly width: number;
  /** Bytes of a message or write. */
  readonly size: number;
  /** Whether Deno's servers get `--unstable-net`. */
  readonly unstable: boolean;
}

/** How long it takes from the start of a server's process to its first answer. */
export interface Startup extends Common {
  readonly kind: "startup";
  readonly service: "tcp-echo" | "udp-echo";
}

/** What a server with idle connections has in memory. */
export interface Idle extends Common {
  readonly kind: "idle";
}

/** How long `deno run` takes with a program that ends at once. */
export interface Imports extends Omit<Common, "stacks"> {
  readonly kind: "imports";
}

/** One table. */
export type Table = Throughput | Startup | Idle | Imports;

const OURS: readonly StackId[] = ["handler", "loop", "recv"];
const LENT: readonly StackId[] = ["handler-lent", "loop-lent"];
const PEERS: readonly StackId[] = ["deno-node", "node", "asyncio"];
const ALL: readonly StackId[] = ["raw", ...OURS, ...PEERS];
const KIB = 1024;

function tcp(width: number): Throughput {
  return {
    kind: "throughput",
    id: `tcp-${width}`,
    title: `TCP echo, 64 B, ${width} connection${width === 1 ? "" : "s"}`,
    workload: "tcp-echo",
    width,
    size: 64,
    unstable: false,
    stacks: ["raw", "raw-fresh", ...OURS, ...PEERS, "libc"],
  };
}

const FLAG = "--unstable-net";

/** Datagrams, with and without the flag that makes Deno's own sockets available. */
function datagrams(workload: Service, id: string, title: string, width: number, size: number) {
  const common = { kind: "throughput", workload, width, size } as const;
  const pair: Throughput[] = [
    {
      ...common,
      id,
      title: `${title}, with \`${FLAG}\``,
      unstable: true,
      stacks: [...ALL, "libc"],
    },
    {
      ...common,
      id: `${id}-stable`,
      title: `${title}, without \`${FLAG}\``,
      unstable: false,
      stacks: ["deno-node", ...OURS],
    },
  ];
  return pair;
}

function udp(width: number, size: number): Throughput[] {
  const title = `UDP echo, ${size} B, ${width} outstanding`;
  return datagrams("udp-echo", `udp-${width}-${size}`, title, width, size);
}

function stream(workload: "sink" | "relay", title: string, stacks: readonly StackId[]): Throughput {
  const size = 64 * KIB;
  return {
    kind: "throughput",
    id: workload,
    title,
    workload,
    width: 1,
    size,
    unstable: false,
    stacks,
  };
}

/** All of them, in the order of the report. */
export const TABLES: readonly Table[] = [
  tcp(1),
  tcp(64),
  tcp(1000),
  stream("sink", "TCP sink, writes of 64 KiB one way", [
    "raw",
    "raw-fresh",
    ...OURS,
    ...LENT,
    ...PEERS,
    "libc",
  ]),
  stream("relay", "TCP relay, writes of 64 KiB one way", [
    "raw",
    "link",
    ...OURS,
    ...LENT,
    ...PEERS,
    "socat",
  ]),
  ...udp(1, 64),
  ...udp(64, 64),
  ...udp(1, 1400),
  ...udp(64, 1400),
  ...datagrams("flood", "flood", "UDP flood, 64 B", 1, 64),
  {
    kind: "startup",
    id: "start-tcp",
    title: "From the start of the process to the first byte echoed over TCP",
    service: "tcp-echo",
    stacks: ALL,
  },
  {
    kind: "startup",
    id: "start-udp",
    title: "From the start of the process to the first byte echoed over UDP",
    service: "udp-echo",
    stacks: ALL,
  },
  { kind: "imports", id: "import", title: "`deno run` of a program that ends at once" },
  {
    kind: "idle",
    id: "idle",
    title: "Resident memory with idle TCP connections",
    stacks: ["raw", "raw-small", ...OURS, ...PEERS],
  },
];

/** Whether the figure of a workload is a number of messages; of the others it is one of bytes. */
export function countsMessages(workload: Service): boolean {
  return workload.endsWith("echo") || workload === "flood";
}
