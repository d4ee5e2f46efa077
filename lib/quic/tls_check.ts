import type { TlsConf } from "../pipe/tls_conf.ts";

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
