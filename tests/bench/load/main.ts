/**
 * The load generator, the same for all servers, a process of its own. Says where its end of a relay
 * listens, then does the jobs that come on stdin one after the other.
 *
 * @module
 */
import { announce, type Job, type Memory, type Traffic, type Workload } from "../protocol.ts";
import { flood } from "./flood.ts";
import { idle } from "./idle.ts";
import { bind } from "./socket.ts";
import { relay, sink } from "./stream.ts";
import { tcpEcho } from "./tcp_echo.ts";
import { udpEcho } from "./udp_echo.ts";

const end = bind("tcp");

const JOBS: Readonly<Record<Workload, (job: Job) => Traffic | Promise<Memory>>> = {
  "tcp-echo": tcpEcho,
  "udp-echo": udpEcho,
  sink,
  relay: (job) => relay(job, end.fd),
  flood,
  idle,
};

await announce(end.port, (line) => {
  const job: Job = JSON.parse(line);
  return JOBS[job.workload](job);
});
