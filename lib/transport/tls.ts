/**
 * TLS on top of any stream, on either side, by node:tls: Deno's own API asks no client for a
 * certificate, and tells neither version nor certificate. Loaded only when it is needed.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type PeerCertificate as NodeCertificate,
  type SecureContext,
  TLSSocket,
} from "node:tls";
import { keyOf, type TlsConf } from "../pipe/tls_conf.ts";
import { codeOf, translate } from "./error.ts";
import { infoOf, TlsTransport } from "./tls_conn.ts";
import { TransportDuplex } from "./tls_duplex.ts";
import type { Transport } from "./transport.ts";

const ENDED = "The peer ended the connection in the handshake";

/** Everything of a conf that can be wrong was looked at. */
export interface TlsContext {
  readonly side: "client" | "server";
  readonly conf: TlsConf;
  readonly secure: SecureContext;
  /** The fingerprints of clients' certificates that a full handshake has shown to be good. */
  readonly verified: Set<string>;
}

/**
 * Reads certificates and key.
 *
 * @param conf A checked conf.
 * @param side Which side of the handshake it is for.
 * @throws {Error} That names the part of the conf that is no good, and never shows the key.
 */
export function makeContext(conf: true | TlsConf, side: "client" | "server"): TlsContext {
  const given = conf === true ? {} : conf;
  const { cert, caCerts } = given;
  const key = keyOf(given);
  if (cert !== undefined && key !== undefined) checkPair(cert, key);
  for (const [i, ca] of caCerts?.entries() ?? []) checkCertificate(ca, `caCerts[${i}]`);
  // Node takes an empty list for nobody to trust.
  const ca = caCerts === undefined || caCerts.length === 0 ? {} : { ca: [...caCerts] };
  const own = cert === undefined || key === undefined ? {} : { cert, key };
  return { side, conf: given, secure: createSecureContext({ ...ca, ...own }), verified: new Set() };
}

function checkPair(cert: string, key: string): void {
  const first = checkCertificate(cert, "cert");
  let fits: boolean;
  try {
    fits = first.checkPrivateKey(createPrivateKey(key));
  } catch {
    throw new Error("conf.useSsl.key: is not a private key in PEM, or one with a password");
  }
  if (!fits) throw new Error("conf.useSsl.key: does not belong to conf.useSsl.cert");
}

/** The first certificate of a PEM text; all of them have to be good. */
function checkCertificate(pem: string, what: string): X509Certificate {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  let all: readonly X509Certificate[];
  try {
    all = blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    const why = "holds something broken in place of a certificate";
    throw new Error(`conf.useSsl.${what}: ${why}`, { cause });
  }
  const [first] = all;
  if (first !== undefined) return first;
  throw new Error(
    `conf.useSsl.${what}: has no "-----BEGIN CERTIFICATE-----" block (PEM, RFC 7468)`,
  );
}

/**
 * Does the handshake and goes on in TLS.
 *
 * @param under A stream; owned by the result, and left to the caller, open, if this fails.
 * @param context The conf.
 * @param name On a client, the peer's host as the caller named it, unless the conf says otherwise.
 * @param signal Gives up.
 * @throws {TransportError} When the handshake failed; or the signal's reason.
 */
export async function secure(
  under: Transport,
  context: TlsContext,
  name: string | undefined,
  signal: AbortSignal,
): Promise<Transport> {
  signal.throwIfAborted();
  const { conf, side } = context;
  const host = side === "client" ? (conf.serverName ?? name)?.replace(/\.$/, "") : undefined;
  // A client that says nothing is to cost a server nothing: a TLSSocket takes 100 KB and more.
  const first = side === "server" ? await firstBytes(under, signal) : undefined;
  const duplex = new TransportDuplex(under, first);
  const socket = side === "client" ? client(duplex, context, host) : server(duplex, context);
  let alert: Uint8Array | undefined;
  const handle: unknown = Reflect.get(socket, "ssl");
  duplex.onDestroy = () => alert = alertOf(handle);
  hideSecrets(socket);
  // There can be one while nobody else listens, which would end the process.
  socket.on("error", () => {});
  socket.pause();
  try {
    await handshake(socket, duplex, side === "client" ? "secureConnect" : "secure", signal);
    if (socket.destroyed) throw translate(new Deno.errors.UnexpectedEof(ENDED));
    const authorized = side === "client" || isAuthorized(socket, context);
    const asked = side === "client" ? sniOf(host) : servernameOf(socket);
    return new TlsTransport(socket, duplex, under, infoOf(socket, asked, authorized));
  } catch (error) {
    socket.destroy();
    duplex.stop();
    // Not waited for: a peer that does not read is not to hold anybody up.
    if (alert !== undefined) under.send(alert).catch(() => {});
    throw error;
  }
}

/** Waits for the peer to say something. */
async function firstBytes(under: Transport, signal: AbortSignal): Promise<Uint8Array> {
  let first: Uint8Array | undefined;
  const onAbort = () => under.interrupt?.();
  signal.addEventListener("abort", onAbort);
  try {
    await under.pull((chunk) => {
      first = chunk;
      return false;
    });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  signal.throwIfAborted();
  if (first === undefined) throw translate(new Deno.errors.UnexpectedEof(ENDED));
  return first;
}

/** The name to ask for: an address is compared with the certificate too, but not sent (RFC 6066, 3). */
function sniOf(host = ""): string | undefined {
  return host === "" || isIP(host) !== 0 ? undefined : host;
}

function client(duplex: TransportDuplex, { conf, secure }: TlsContext, host = ""): TLSSocket {
  const servername = sniOf(host);
  return connect({
    socket: duplex,
    secureContext: secure,
    rejectUnauthorized: true, // whatever NODE_TLS_REJECT_UNAUTHORIZED says
    checkServerIdentity: checkIdentity,
    host,
    ...(servername === undefined ? {} : { servername }),
    ...alpn(conf),
  });
}

/** Only the alternative names count, not the subject's CN (RFC 9525, section 2). */
function checkIdentity(host: string, certificate: NodeCertificate): Error | undefined {
  if (certificate.subjectaltname !== undefined) return checkServerIdentity(host, certificate);
  return new Error(`The certificate is for no name at all, and so not for ${host}`);
}

function server(duplex: TransportDuplex, { conf, secure }: TlsContext): TLSSocket {
  // Types say that only a net.Socket can be under TLS; the documentation says any Duplex.
  const under: unknown = duplex;
  return new TLSSocket(under as ConstructorParameters<typeof TLSSocket>[0], {
    isServer: true,
    secureContext: secure,
    requestCert: conf.clientAuth !== undefined,
    rejectUnauthorized: conf.clientAuth === "require",
    ...alpn(conf),
  });
}

function alpn({ alpnProtocols }: TlsConf): { ALPNProtocols?: string[] } {
  return alpnProtocols === undefined ? {} : { ALPNProtocols: [...alpnProtocols] };
}

/** Resolves when the handshake is done. */
function handshake(
  socket: TLSSocket,
  duplex: TransportDuplex,
  event: "secureConnect" | "secure",
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let ending: ReturnType<typeof setTimeout> | undefined;
    const settle = (action: () => void) => {
      clearTimeout(ending);
      socket.off(event, onDone);
      socket.off("error", onError);
      socket.off("end", onEnd);
      socket.off("close", onEnd);
      signal.removeEventListener("abort", onAbort);
      duplex.onInputEnd = undefined;
      action();
    };
    const onDone = () => settle(resolve);
    const onError = (error: unknown) => settle(() => reject(translate(explain(error))));
    const onEnd = (error?: unknown) =>
      onError(error instanceof Error ? error : new Deno.errors.UnexpectedEof(ENDED));
    const onAbort = () => settle(() => reject(signal.reason));
    socket.on(event, onDone);
    socket.on("error", onError);
    socket.on("end", onEnd);
    socket.on("close", onEnd);
    signal.addEventListener("abort", onAbort);
    // What came before the end may still tell why it did.
    duplex.onInputEnd = (error) => ending = setTimeout(() => onEnd(error));
  });
}

/**
 * What tells the peer why the handshake failed (RFC 8446, section 6.2): a TLSSocket on a stream (Deno
 * 2.9) makes it, and would write it a moment after it has destroyed the stream.
 */
function alertOf(handle: unknown): Uint8Array | undefined {
  const drain = methodOf(handle, "drainEncOut");
  const alert: unknown = drain && Reflect.apply(drain, handle, []);
  return alert instanceof Uint8Array && alert.length > 0 ? alert : undefined;
}

/** Deno 2.9 has one word for most of what can be wrong with a certificate. */
function explain(error: unknown): unknown {
  if (codeOf(error) !== "UNABLE_TO_VERIFY_LEAF_SIGNATURE") return error;
  const why =
    "the peer's certificate is signed by nobody who is trusted, has expired, is not valid " +
    "yet, or is for another purpose";
  return new Error(why, { cause: error });
}

/**
 * Whether the client has shown a certificate that is good. A TLSSocket takes any, and leaves it to its
 * maker to look, as `tls.Server` does; but that does not tell which stream has become which socket.
 */
function isAuthorized(socket: TLSSocket, { conf, verified }: TlsContext): boolean {
  const { clientAuth } = conf;
  if (clientAuth === undefined) return false;
  const fault = faultOf(socket, verified);
  if (fault === undefined) return true;
  if (clientAuth === "require") throw translate(fault);
  return false;
}

/** How many clients' certificates a server remembers. */
const MOST_VERIFIED = 10_000;

/** What is wrong with the client's certificate, if anything is. */
function faultOf(socket: TLSSocket, verified: Set<string>): Error | undefined {
  const id = socket.getPeerX509Certificate()?.fingerprint256;
  if (id === undefined) return new Error("The client showed no certificate");
  // A resumed session (Deno 2.9) may come from another server of the process and is looked at by
  // nobody: it is as good as the full handshake that this server has seen of the same certificate.
  if (socket.isSessionReused()) {
    const { validTo } = socket.getPeerX509Certificate() ?? { validTo: "" };
    if (verified.has(id) && Date.parse(validTo) > Date.now()) return undefined;
    return new Error("The client resumed a session that this server has not verified");
  }
  const handle: unknown = Reflect.get(socket, "ssl");
  const verify = methodOf(handle, "verifyError");
  // Not to be able to look is not to be sure.
  if (verify === undefined) {
    return new Error("This platform does not tell whether a client's certificate is good");
  }
  const fault: unknown = Reflect.apply(verify, handle, []);
  if (fault instanceof Error) return fault;
  if (fault !== null && fault !== undefined && fault !== "") return new Error(String(fault));
  if (verified.size >= MOST_VERIFIED) verified.clear();
  verified.add(id);
  return undefined;
}

/** A method of Node's inside, if it is there. */
function methodOf(handle: unknown, name: string): ((...args: never[]) => unknown) | undefined {
  if (typeof handle !== "object" || handle === null) return undefined;
  const method: unknown = Reflect.get(handle, name);
  return isFunction(method) ? method : undefined;
}

function isFunction(value: unknown): value is (...args: never[]) => unknown {
  return typeof value === "function";
}

function servernameOf(socket: TLSSocket): string | undefined {
  const name: unknown = Reflect.get(socket, "servername");
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** A TLSSocket keeps its options, the key among them, and would print them. */
function hideSecrets(socket: TLSSocket): void {
  const value = () => "TLSSocket {}";
  for (
    const name of ["Deno.customInspect", "Deno.privateCustomInspect", "nodejs.util.inspect.custom"]
  ) {
    Object.defineProperty(socket, Symbol.for(name), { value });
  }
  Object.defineProperty(socket, "toJSON", { value });
}
