import { keyOf, type TlsConf } from "../pipe/tls_conf.ts";
import { offer } from "./alpn.ts";

/**
 * Checks what of a conf Deno's QUIC cannot do.
 *
 * @throws {TypeError} That names it.
 */
export function checkQuicTls(
  conf: boolean | TlsConf,
  what: string,
  side: "client" | "server",
): void {
  const { clientAuth, cert, alpnProtocols } = typeof conf === "boolean" ? {} as TlsConf : conf;
  if (alpnProtocols?.length === 0) {
    throw new TypeError(
      `${what}.alpnProtocols: QUIC needs one at least; leave it out for a default`,
    );
  }
  if (clientAuth !== undefined) {
    throw new TypeError(
      `${what}.clientAuth: a QUIC server of Deno asks no client for a certificate`,
    );
  }
  if (side === "client" && cert !== undefined) {
    throw new TypeError(`${what}.cert: a QUIC client of Deno shows no certificate`);
  }
}

/** What a client asks for. */
export function clientTls(useSsl: boolean | TlsConf, host: string) {
  const conf = confOf(useSsl);
  return {
    caCerts: [...conf.caCerts ?? []],
    serverName: (conf.serverName ?? host).replace(/\.$/, "").replace(/%.*/, ""),
    alpnProtocols: offer(conf.alpnProtocols),
  };
}

/** What a server shows. */
export function serverTls(useSsl: boolean | TlsConf) {
  const conf = confOf(useSsl);
  return {
    cert: conf.cert ?? "",
    key: keyOf(conf) ?? "",
    alpnProtocols: offer(conf.alpnProtocols),
  };
}

function confOf(useSsl: boolean | TlsConf): TlsConf {
  return typeof useSsl === "boolean" ? {} : useSsl;
}
