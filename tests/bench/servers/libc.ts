/**
 * Servers made of C calls: nothing that Deno, or anything else in one thread, could reach. That they are
 * served faster than the others shows that the load generator does not limit those.
 *
 *     libc.ts tcp-echo|udp-echo|sink|flood SINK_PORT
 *
 * @module
 */
import { Epoll } from "../load/epoll.ts";
import { checked, libc, moved, MSG_DONTWAIT } from "../load/libc.ts";
import { accept, bind, patience } from "../load/socket.ts";
import { announce, type Received } from "../protocol.ts";

/** How long the calls may keep this process from seeing that it is to end. Milliseconds. */
const SLICE = 50;

const buffer = new Uint8Array(65536);
let messages = 0;

/** Serves many connections for a while. What a connection sends goes to a function. */
function streams(each: (fd: number, n: number) => void): { port: number; slice: () => void } {
  const listener = bind("tcp");
  const epoll = new Epoll();
  epoll.add(listener.fd, listener.fd);
  const slice = () => {
    const ready = epoll.wait(SLICE);
    for (let i = 0; i < ready; i++) {
      const fd = epoll.ready(i);
      if (fd === listener.fd) {
        const accepted = accept(fd);
        epoll.add(accepted, accepted);
        continue;
      }
      const n = checked(libc.recv(fd, buffer, buffer.length, MSG_DONTWAIT), "recv");
      if (n === 0) libc.close(fd);
      else each(fd, n);
    }
  };
  return { port: listener.port, slice };
}

const address = new Uint8Array(16);
const addressSize = Int32Array.of(address.length);

/** Serves one socket for a while. */
function datagrams(each: (fd: number, n: number) => void): { port: number; slice: () => void } {
  const { fd, port } = bind("udp");
  patience(fd, SLICE);
  const slice = () => {
    const n = moved(libc.recvfrom(fd, buffer, buffer.length, 0, address, addressSize), "recvfrom");
    if (n >= 0) each(fd, n);
  };
  return { port, slice };
}

function serve(service: string): { port: number; slice: () => void } {
  switch (service) {
    case "tcp-echo":
      return streams((fd, n) => checked(libc.send(fd, buffer, n, 0), "send"));
    case "sink":
      return streams(() => {});
    case "udp-echo":
      return datagrams((fd, n) =>
        checked(libc.sendto(fd, buffer, n, 0, address, address.length), "sendto")
      );
    default:
      return datagrams(() => messages++);
  }
}

const { port, slice } = serve(Deno.args[0] ?? "");
announce(port, (): Received => ({ messages }));
for (;;) {
  const until = performance.now() + SLICE;
  while (performance.now() < until) slice();
  await new Promise((resolve) => setTimeout(resolve));
}
