/**
 * What a TLS connection tells.
 *
 * @module
 */

/** A certificate that a peer has shown (X.509, RFC 5280). */
export interface PeerCertificate {
  /** Whom it is for, as "CN=…, O=…". */
  readonly subject: string;
  /** Who signed it. */
  readonly issuer: string;
  /** The names and addresses it is good for: "DNS:example.com", "IP Address:127.0.0.1". */
  readonly names: readonly string[];
  /** First moment of its validity. */
  readonly validFrom: Date;
  /** Last moment of its validity. */
  readonly validTo: Date;
  /** Serial number in hexadecimal. */
  readonly serialNumber: string;
  /** SHA-256 of `raw`, in hexadecimal with colons: what to compare when a certificate is pinned. */
  readonly fingerprint256: string;
  /** The certificate itself (DER). */
  readonly raw: Uint8Array<ArrayBuffer>;
}

/** What the two sides of a TLS connection agreed on. */
export interface TlsInfo {
  /** "TLSv1.3" or "TLSv1.2"; undefined where the platform does not say (an adopted `Deno.TlsConn`). */
  readonly protocol: string | undefined;
  /** The application protocol agreed on, or null if none was. */
  readonly alpnProtocol: string | null;
  /** The name that the client asked for. */
  readonly serverName: string | undefined;
  /** Whether the peer showed a certificate that was verified. */
  readonly authorized: boolean;
  /** The peer's certificate, if it showed one; undefined on QUIC and an adopted `Deno.TlsConn`. */
  readonly peerCertificate: PeerCertificate | undefined;
}
