/** Sockets of the load generator. */
import { checked, libc } from "./libc.ts";

const AF_INET = 2;
const SOCK = { tcp: 1, udp: 2 };
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const IPPROTO_IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const ADDRESS_SIZE = 16;

/** A `sockaddr_in` of 127.0.0.`last`. */
function loopback(port: number, last = 1): Uint8Array<ArrayBuffer> {
  const address = new Uint8Array(ADDRESS_SIZE);
  new Uint16Array(address.buffer)[0] = AF_INET; // in the order of the machine
  new DataView(address.buffer).setUint16(2, port);
  address.set([127, 0, 0, last], 4);
  return address;
}

function option(fd: number, level: number, name: number): void {
  checked(libc.setsockopt(fd, level, name, Int32Array.of(1), 4), "setsockopt");
}

/** Makes calls on the socket that wait longer return -1. Milliseconds. */
export function patience(fd: number, ms: number): void {
  const time = BigInt64Array.of(BigInt(Math.floor(ms / 1000)), BigInt(ms % 1000) * 1000n);
  for (const name of [SO_RCVTIMEO, SO_SNDTIMEO]) {
    checked(libc.setsockopt(fd, SOL_SOCKET, name, time, 16), "setsockopt");
  }
}

/** How long a call may wait for a server, unless told otherwise. Milliseconds. */
const PATIENCE = 10_000;

/** A socket of ours. */
export function open(proto: "tcp" | "udp"): number {
  const fd = checked(libc.socket(AF_INET, SOCK[proto], 0), "socket");
  patience(fd, PATIENCE);
  return fd;
}

/**
 * A connection to a server on this machine.
 *
 * @param last From which address, 127.0.0.`last`: each has ports of its own.
 */
export function connect(proto: "tcp" | "udp", port: number, last = 1): number {
  const fd = open(proto);
  if (proto === "tcp") option(fd, IPPROTO_TCP, TCP_NODELAY);
  option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
  checked(libc.bind(fd, loopback(0, last), ADDRESS_SIZE), "bind");
  checked(libc.connect(fd, loopback(port), ADDRESS_SIZE), "connect");
  return fd;
}

/** Binds a socket, which for TCP listens, and gives its port. */
export function bind(proto: "tcp" | "udp"): { readonly fd: number; readonly port: number } {
  const fd = open(proto);
  const address = loopback(0);
  checked(libc.bind(fd, address, ADDRESS_SIZE), "bind");
  if (proto === "tcp") checked(libc.listen(fd, 4096), "listen");
  checked(libc.getsockname(fd, address, Int32Array.of(ADDRESS_SIZE)), "getsockname");
  return { fd, port: new DataView(address.buffer).getUint16(2) };
}

/** The next connection of a listening socket. */
export function accept(listener: number): number {
  const fd = checked(libc.accept(listener, null, null), "accept");
  option(fd, IPPROTO_TCP, TCP_NODELAY);
  patience(fd, PATIENCE);
  return fd;
}
