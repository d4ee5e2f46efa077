import { type Endpoint, parseDest } from "../net/address.ts";
import { show } from "../net/show.ts";
import { checkFunction, checkSignal, type NetConf, resolveConf } from "./conf.ts";
import type { Dest, EndCb, MsgCb, PipeOptions, Proto, UpCb } from "./types.ts";

/** TCP, for `pipeOpen`. */
export const TCP = "tcp" as const;
/** UDP, for `pipeOpen`. */
export const UDP = "udp" as const;

/** What `pipeOpen` was asked for, checked. */
export interface Plan {
  readonly proto: Proto;
  readonly dest: Endpoint | undefined;
  readonly local: Endpoint | undefined;
  /** As the caller wrote it. */
  readonly route: Dest | undefined;
  readonly sock: PipeOptions["sock"];
  readonly conf: Readonly<NetConf>;
  readonly msgCb: MsgCb | undefined;
  readonly upCb: UpCb | undefined;
  readonly endCb: EndCb | undefined;
  readonly signal: AbortSignal | undefined;
}

const KEYS: readonly string[] = [
  "dest",
  "route",
  "sock",
  "msgCb",
  "upCb",
  "endCb",
  "conf",
  "signal",
] satisfies (keyof PipeOptions)[];

/** Checks all arguments of `pipeOpen`, before any socket exists. */
export function plan(proto: unknown, options: PipeOptions): Plan {
  if (proto !== TCP && proto !== UDP) {
    throw new TypeError(`proto: "${TCP}" or "${UDP}" is needed, got ${show(proto)}`);
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
  if (conf.enableMsgIds !== false && proto === TCP && conf.framing === null) {
    throw new TypeError(
      "conf.enableMsgIds: a byte stream has no messages to tell apart; it needs conf.framing",
    );
  }
  const dest = options.dest === undefined
    ? undefined
    : parseDest(options.dest, "dest", { zeroPort: false });
  const local = route === undefined
    ? undefined
    : parseDest(route, "route", { literal: true, wildcard: dest === undefined });
  if (dest?.ip !== undefined && local?.ip !== undefined && dest.ip.family !== local.ip.family) {
    throw new TypeError(
      `dest: is an ${dest.ip.family} address and the route ${show(route)} is an ` +
        `${local.ip.family} one; they cannot meet`,
    );
  }
  if (sock !== undefined) checkSock(proto, sock, options);
  return { proto, dest, local, route, sock, conf, msgCb, upCb, endCb, signal };
}

function checkSock(proto: Proto, sock: unknown, options: PipeOptions): void {
  if (typeof sock !== "object" || sock === null) {
    throw new TypeError(`sock: an open socket is needed, got ${show(sock)}`);
  }
  if (options.route !== undefined) {
    throw new TypeError(
      "route: an open socket as sock already has its local side; leave route out",
    );
  }
  const is = sockKind(sock);
  const wanted = proto === UDP ? is === "datagram" : is === "connection" || is === "listener";
  if (!wanted) {
    const needed = proto === UDP
      ? "a Deno.DatagramConn"
      : "a Deno.TcpConn, Deno.TlsConn or Deno.Listener";
    throw new TypeError(`sock: ${needed} is needed for ${proto}, got ${is ?? "something else"}`);
  }
  if (options.dest !== undefined && is !== "datagram") {
    throw new TypeError(
      `dest: ${show(options.dest)} cannot go with a ${is} as sock, which has ` +
        (is === "listener" ? "no single peer" : "its peer already"),
    );
  }
}

/** What kind of socket an object is, by the methods it has. */
export function sockKind(sock: object): "connection" | "listener" | "datagram" | undefined {
  const has = (name: string) => typeof Reflect.get(sock, name) === "function";
  if (has("accept")) return "listener";
  if (has("receive") && has("send")) return "datagram";
  if (has("read") && has("write")) return "connection";
  return undefined;
}
