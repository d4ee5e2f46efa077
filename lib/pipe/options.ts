import { framingOf } from "../framing/framed_transport.ts";
import { type Endpoint, formatAddr, parseDest } from "../net/address.ts";
import { show } from "../net/show.ts";
import type { Connection } from "../quic/connection.ts";
import { connectionOf } from "../quic/registry.ts";
import { hasTls, type SockKind, sockKind } from "../transport/sock_kind.ts";
import { checkFunction, checkSignal } from "./checks.ts";
import { type NetConf, resolveConf } from "./conf.ts";
import { isGroup } from "./dest_book.ts";
import { checkQuicTls } from "../quic/tls_check.ts";
import { checkTlsUse } from "./tls_conf.ts";
import { type LocalSide, localSides } from "./local_side.ts";
import { isProto, PROTO_NAMES, PROTOS, QUIC, RUDP, TCP, UDP } from "./proto.ts";
import { ConnPipe } from "./pipe.ts";
import type { EndCb, MsgCb, Proto, UpCb } from "./types.ts";
import type { PipeOptions } from "./pipe_options.ts";
import { type SocketSource, SYSTEM } from "./sockets.ts";

/** What `pipeOpen` was asked for, checked. */
export interface Plan {
  readonly proto: Proto;
  readonly role: "client" | "server";
  readonly dest: Endpoint | undefined;
  /** The local sides to try, in this order; none: the system's choice. */
  readonly locals: readonly LocalSide[];
  readonly sock: PipeOptions["sock"];
  /** The connection of QUIC to open it on. */
  readonly over: Connection | undefined;
  readonly conf: Readonly<NetConf>;
  readonly msgCb: MsgCb | undefined;
  readonly upCb: UpCb | undefined;
  readonly endCb: EndCb | undefined;
  readonly signal: AbortSignal | undefined;
  /** Where the socket comes from. */
  readonly sockets: SocketSource;
}

const KEYS: readonly string[] = [
  "dest",
  "route",
  "sock",
  "over",
  "msgCb",
  "upCb",
  "endCb",
  "conf",
  "signal",
] satisfies (keyof PipeOptions)[];

/** Checks all arguments of `pipeOpen`, before any socket exists. */
export function plan(proto: unknown, options: PipeOptions, sockets = SYSTEM): Plan {
  if (!isProto(proto)) {
    throw new TypeError(`proto: one of ${PROTO_NAMES} is needed, got ${show(proto)}`);
  }
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`options: an object is needed, got ${show(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!KEYS.includes(key)) {
      throw new TypeError(`options: there is no ${show(key)}, only ${KEYS.join(", ")}`);
    }
  }
  const { msgCb, upCb, endCb, signal, sock, route } = options;
  if (msgCb !== undefined) checkFunction(msgCb, "msgCb");
  if (upCb !== undefined) checkFunction(upCb, "upCb");
  if (endCb !== undefined) checkFunction(endCb, "endCb");
  checkSignal(signal);
  const conf = resolveConf(options.conf);
  if (conf.enableMsgIds !== false && PROTOS[proto].connects && conf.framing === null) {
    throw new TypeError(
      "conf.enableMsgIds: a byte stream has no messages to tell apart; it needs conf.framing",
    );
  }
  const dest = options.dest === undefined
    ? undefined
    : parseDest(options.dest, "dest", { zeroPort: false });
  const locals = localSides(route, dest === undefined);
  const kind = sock === undefined ? undefined : checkSock(proto, sock, options);
  const over = options.over === undefined ? undefined : checkOver(proto, options.over, options);
  const isClient = dest !== undefined || over !== undefined ||
    (proto === TCP && sock !== undefined && kind !== LISTENER);
  const checked: Plan = {
    proto,
    role: isClient ? "client" : "server",
    dest,
    locals,
    sock,
    over,
    conf,
    msgCb,
    upCb,
    endCb,
    signal,
    sockets,
  };
  checkEnds(checked);
  checkConf(checked);
  return checked;
}

/** What each kind of pipe can be made of. */
const ADOPTED: Readonly<Record<Proto, readonly (SockKind | undefined)[]>> = {
  tcp: ["connection", "listener", "node:net Socket", "stream pair"],
  udp: ["datagram socket"],
  quic: [],
  rudp: ["datagram socket"],
};
const LISTENER: SockKind = "listener";

function checkSock(proto: Proto, sock: unknown, options: PipeOptions): SockKind | undefined {
  if (typeof sock !== "object" || sock === null) {
    throw new TypeError(`sock: an open socket is needed, got ${show(sock)}`);
  }
  if (options.route !== undefined) {
    throw new TypeError(
      "route: an open socket as sock already has its local side; leave route out",
    );
  }
  const kind = sockKind(sock);
  if (!ADOPTED[proto].includes(kind)) {
    if (proto === QUIC) throw new TypeError("sock: there is none for quic; leave it out");
    const needed = proto === TCP
      ? "a connection or listener of Deno's, a node:net Socket or a { readable, writable } pair"
      : "a Deno.DatagramConn";
    const got = kind === undefined ? "something else" : `a ${kind}`;
    throw new TypeError(`sock: ${needed} is needed for ${proto}, got ${got}`);
  }
  if (options.dest !== undefined && proto === TCP) {
    throw new TypeError(
      `dest: ${show(options.dest)} cannot go with a ${kind} as sock, which has ` +
        (kind === LISTENER ? "no single peer" : "its peer already"),
    );
  }
  return kind;
}

/** The connection under a pipe on which another one is to be opened. */
function checkOver(proto: Proto, over: unknown, options: PipeOptions): Connection {
  if (proto !== QUIC && proto !== UDP) {
    throw new TypeError(`over: a connection of QUIC carries quic and udp pipes, not ${proto}`);
  }
  for (const what of ["route", "sock"] as const) {
    if (options[what] === undefined) continue;
    throw new TypeError(`${what}: the connection of over has one already; leave ${what} out`);
  }
  const connection = over instanceof ConnPipe && over.proto === QUIC
    ? connectionOf(over.sock)
    : undefined;
  if (!(over instanceof ConnPipe) || connection === undefined) {
    throw new TypeError(`over: an open QUIC pipe with a peer is needed, got ${show(over)}`);
  }
  void over.destination(options.dest); // throws for any other
  return connection;
}

/** Whether the two sides can meet. */
function checkEnds({ proto, dest, locals, sock }: Plan): void {
  const [local] = locals.map(({ endpoint }) => endpoint);
  const path = (dest ?? local)?.path;
  if (path !== undefined && (proto === QUIC || proto === RUDP)) {
    const what = dest === undefined ? "route" : "dest";
    throw new TypeError(`${what}: ${proto} has no Unix sockets, got ${show(path)}`);
  }
  if (dest === undefined) return;
  const families = new Set(locals.map(({ endpoint }) => endpoint.ip?.family));
  if (dest.ip !== undefined && local?.ip !== undefined && !families.has(dest.ip.family)) {
    throw new TypeError(
      `dest: is an ${dest.ip.family} address and the route ${formatAddr(local)} is an ` +
        `${local.ip.family} one; they cannot meet`,
    );
  }
  if (local !== undefined && (dest.path === undefined) !== (local.path === undefined)) {
    const [to, from] = [formatAddr(dest), formatAddr(local)];
    throw new TypeError(
      `route: ${from} and the dest ${to} cannot meet: one of them is a Unix socket`,
    );
  }
  if (dest.path === undefined) return;
  if (proto === TCP && local !== undefined) {
    throw new TypeError(
      `route: the client of a Unix stream socket has no path of its own, got ${local.path}`,
    );
  }
  if (proto === UDP && local === undefined && sock === undefined) {
    throw new TypeError(
      "route: is missing; the client of a Unix datagram socket needs a { path } of its own, where " +
        "answers come",
    );
  }
}

/** Options that contradict each other, or what is to be opened. */
function checkConf(plan: Plan): void {
  const { proto, role, conf, sock } = plan;
  const { sockProto, useSsl } = conf;
  const { connects, ipProtocol } = PROTOS[proto];
  if (sockProto !== 0 && sockProto !== ipProtocol) {
    throw new RangeError(
      `conf.sockProto: ${sockProto} is not the number of "${proto}", which is ${ipProtocol}`,
    );
  }
  if (framingOf(conf) !== undefined && !connects) {
    throw new TypeError(
      `conf.framing: is for byte streams; a datagram of ${proto} is a message already`,
    );
  }
  if (conf.multicast !== null && connects) {
    throw new TypeError(`conf.multicast: is for udp; a ${proto} connection has one peer`);
  }
  if (proto === RUDP && (conf.multicast !== null || conf.broadcast)) {
    const what = conf.broadcast ? "broadcast" : "multicast";
    throw new TypeError(`conf.${what}: is for udp; a message of rudp has one receiver`);
  }
  if (proto === RUDP && plan.dest !== undefined && isGroup(plan.dest.hostname)) {
    const to = formatAddr(plan.dest);
    throw new TypeError(`dest: ${to} is everybody's address; a message of rudp has one receiver`);
  }
  if (proto === QUIC) checkQuic(plan);
  if (isUnix(plan)) checkUnix(conf);
  if (conf.sockOnly) checkSockOnly(plan);
  if (useSsl === false) return;
  if (!connects) throw new TypeError(`conf.useSsl: TLS needs a stream, which ${proto} is not`);
  if (sock !== undefined && hasTls(sock)) {
    throw new TypeError("conf.useSsl: sock has TLS already; leave useSsl out");
  }
  const name = plan.dest?.path === undefined ? plan.dest?.hostname : undefined;
  checkTlsUse(useSsl, "conf.useSsl", { side: role, name });
}

/** What Deno's QUIC cannot do, and what an open connection has already. */
function checkQuic({ role, conf, over, dest }: Plan): void {
  const { useSsl, reuseAddr, sockOnly } = conf;
  if (sockOnly) {
    throw new TypeError(
      "conf.sockOnly: is not for quic; use Deno.connectQuic or Deno.QuicEndpoint",
    );
  }
  if (reuseAddr) throw new TypeError("conf.reuseAddr: Deno's QUIC has no such option");
  if (over !== undefined) {
    if (useSsl !== false) {
      throw new TypeError("conf.useSsl: the connection of over has its TLS; leave useSsl out");
    }
    return;
  }
  checkTlsUse(useSsl === false ? true : useSsl, "conf.useSsl", {
    side: role,
    name: dest?.hostname,
  });
  checkQuicTls(useSsl, "conf.useSsl", role);
}

/** Whether it is about a Unix socket. */
export function isUnix({ dest, locals }: Plan): boolean {
  return (dest ?? locals[0]?.endpoint)?.path !== undefined;
}

function checkUnix({ reuseAddr, multicast, allow, deny }: NetConf): void {
  if (allow !== null || deny !== null) {
    const what = allow === null ? "deny" : "allow";
    throw new TypeError(`conf.${what}: a Unix socket has no addresses; its file has permissions`);
  }
  if (reuseAddr) throw new TypeError("conf.reuseAddr: a Unix socket has its path for itself");
  if (multicast !== null) throw new TypeError("conf.multicast: a Unix socket has no groups");
}

function checkSockOnly({ role, conf, sock, msgCb, upCb, endCb }: Plan): void {
  if (sock !== undefined) throw new TypeError("sock: is raw already; conf.sockOnly opens another");
  for (const [what, cb] of Object.entries({ msgCb, upCb, endCb })) {
    if (cb === undefined) continue;
    throw new TypeError(`${what}: would never be called; with conf.sockOnly there is no pipe`);
  }
  if (framingOf(conf) !== undefined) {
    throw new TypeError(
      "conf.framing: is the pipe's, no raw socket has it; with conf.sockOnly there is no pipe",
    );
  }
  if (conf.useSsl !== false) {
    const raw = role === "server" ? "Deno.listenTls" : "Deno.connectTls";
    throw new TypeError(
      `conf.useSsl: TLS is the pipe's, no raw socket has it; leave conf.sockOnly out, or use ${raw}`,
    );
  }
}
