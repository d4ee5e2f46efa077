/**
 * The same servers with node:net and node:dgram, for Node.js and for Deno.
 *
 *     node.mjs SERVICE SINK_PORT
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";

const host = "127.0.0.1";

let messages = 0;

function listen(serve) {
  const server = createServer({ noDelay: true }, serve);
  server.listen({ host, port: 0, backlog: 4096 }, () => announce(server.address().port));
}

function datagrams(onMessage) {
  const socket = createSocket("udp4");
  socket.on("message", (data, from) => onMessage(data, from, socket));
  socket.bind(0, host, () => announce(socket.address().port));
}

const SERVICES = {
  "tcp-echo": () => listen((socket) => socket.on("data", (data) => socket.write(data))),
  sink: () => listen((socket) => socket.resume()),
  relay: () =>
    listen((socket) => {
      const target = connect({ host, port: Number(sink), noDelay: true });
      socket.pipe(target).pipe(socket);
    }),
  "udp-echo": () => datagrams((data, from, socket) => socket.send(data, from.port, from.address)),
  flood: () => datagrams(() => messages++),
};

function announce(port) {
  console.log(JSON.stringify({ port }));
  createInterface({ input: process.stdin })
    .on("line", () => console.log(JSON.stringify({ messages })))
    .on("close", () => process.exit());
}

const [service, sink] = process.argv.slice(2);
SERVICES[service]();
