/**
 * Servers with pipes, each the way README.md shows it, with all options at their defaults but for
 * `reuseBuffers` where messages are lent.
 *
 *     pipes.ts handler|loop|recv kept|lent tcp-echo|udp-echo|sink|flood
 *     pipes.ts link|handler|loop|recv kept|lent relay SINK_PORT
 *
 * @module
 */
import { type MsgCb, type Pipe, pipeOpen, type PipeOptions, TCP, UDP } from "@p2pd/pipes";
import { announce, type Received } from "../protocol.ts";
import { PUMP, SERVE } from "./styles.ts";

const [style = "", memory, service = "", sink = ""] = Deno.args;
const options: PipeOptions = { route: "127.0.0.1:0", conf: { reuseBuffers: memory === "lent" } };

let messages = 0;
const count: MsgCb = () => void messages++;
const echo: MsgCb = (msg, from, pipe) => pipe.send(msg, from);

function relay(): Promise<Pipe> {
  const pump = PUMP[style];
  if (pump === undefined) throw new TypeError(`nothing is relayed by "${style}"`);
  return pipeOpen(TCP, {
    ...options,
    upCb: async (_msg, _from, client) => {
      const target = await pipeOpen(TCP, { dest: ["127.0.0.1", Number(sink)], conf: options.conf });
      // Not awaited: nothing arrives before this handler has returned.
      Promise.all([pump(client, target), pump(target, client)])
        .then(() => Promise.all([client.close(), target.close()]));
    },
  });
}

function serve(): Promise<Pipe> {
  const open = SERVE[style];
  if (open === undefined) throw new TypeError(`nothing is served by "${style}"`);
  const proto = service === "udp-echo" || service === "flood" ? UDP : TCP;
  return open(proto, options, service === "sink" || service === "flood" ? count : echo);
}

const server = await (service === "relay" ? relay() : serve());
await announce(server.localAddr.port, (): Received => ({ messages }));
