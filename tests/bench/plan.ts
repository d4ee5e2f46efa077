/** What is measured, and who serves it. */

/** A kind of traffic. */
export type Kind = "tcp" | "udp" | "relay";

/** All of them, in the order of the report. */
export const KINDS: readonly Kind[] = ["tcp", "udp", "relay"];

/** A server to compare: a program of this folder and how it is to serve. */
export interface Stack {
  readonly name: string;
  readonly script: string;
  readonly style: string;
}

/** The one that the others are compared with. */
export const RAW: Stack = { name: "raw Deno loop", script: "serve_raw.ts", style: "raw" };

const ECHO: readonly Stack[] = [
  RAW,
  { name: "pipes, handler", script: "serve_pipes.ts", style: "handler" },
  { name: "pipes, for await", script: "serve_pipes.ts", style: "loop" },
  { name: "pipes, recv", script: "serve_pipes.ts", style: "recv" },
];

/** The servers of each kind. */
export const STACKS: Readonly<Record<Kind, readonly Stack[]>> = {
  tcp: ECHO,
  udp: ECHO,
  relay: [RAW, { name: "pipes, linked both ways", script: "serve_pipes.ts", style: "link" }],
};

/** One table of the report. */
export interface Measurement {
  readonly title: string;
  readonly kind: Kind;
  /** Connections (TCP) or datagrams under way (UDP) at a time. */
  readonly width: number;
  readonly unit: "msgs/s" | "MB/s";
}

/** All of them, in the order of the report. */
export const MEASUREMENTS: readonly Measurement[] = [
  { title: "TCP echo, 64 B, 1 connection", kind: "tcp", width: 1, unit: "msgs/s" },
  { title: "TCP echo, 64 B, 64 connections", kind: "tcp", width: 64, unit: "msgs/s" },
  { title: "UDP echo, 64 B, 1 outstanding", kind: "udp", width: 1, unit: "msgs/s" },
  { title: "UDP echo, 64 B, 64 outstanding", kind: "udp", width: 64, unit: "msgs/s" },
  { title: "TCP relay, writes of 64 KiB", kind: "relay", width: 1, unit: "MB/s" },
];
