/**
 * Certificates made on the spot, in memory: an authority, what it signs, and what signs itself. ECDSA
 * on P-256, as PEM, good for an hour around now unless said otherwise.
 *
 * @module
 */
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** A certificate and its key, both PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate says. */
export interface CertificateOptions {
  /** Host names and IP addresses it is for; the first one is the subject's CN too. */
  readonly names: readonly [string, ...string[]];
  /** First moment of its validity. @default {an hour ago} */
  readonly notBefore?: Date;
  /** Last moment of its validity. @default {in an hour} */
  readonly notAfter?: Date;
  /** For a client instead of a server. */
  readonly client?: boolean;
}

/** Signs certificates of others. */
export interface Authority {
  /** Its own certificate: what those who trust it have in `caCerts`. */
  readonly cert: string;
  /** Makes a key and a certificate for it. */
  issue(options: CertificateOptions): Promise<Certificate>;
}

const HOUR = 3_600_000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** Makes an authority that nobody trusts yet. */
export async function authority(name: string): Promise<Authority> {
  const keys = await newKeys();
  const ca = await X509CertificateGenerator.createSelfSigned({
    ...common({}),
    name: `CN=${name}`,
    keys,
    extensions: [
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return {
    cert: pem(ca),
    async issue(options) {
      const own = await newKeys();
      const cert = await X509CertificateGenerator.create({
        ...common(options),
        subject: `CN=${options.names[0]}`,
        issuer: ca.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          await AuthorityKeyIdentifierExtension.create(keys.publicKey),
          ...extensions(options),
        ],
      });
      return { cert: pem(cert), key: await keyPem(own) };
    },
  };
}

/** Makes a certificate that only those trust who have it itself in `caCerts`. */
export async function selfSigned(options: CertificateOptions): Promise<Certificate> {
  const keys = await newKeys();
  const cert = await X509CertificateGenerator.createSelfSigned({
    ...common(options),
    name: `CN=${options.names[0]}`,
    keys,
    extensions: extensions(options),
  });
  return { cert: pem(cert), key: await keyPem(keys) };
}

function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

function common({ notBefore, notAfter }: Partial<CertificateOptions>) {
  const number = crypto.getRandomValues(new Uint8Array(16));
  number[0] = 0x5a; // positive, and not shortened
  return {
    serialNumber: number.toHex(),
    notBefore: notBefore ?? new Date(Date.now() - HOUR),
    notAfter: notAfter ?? new Date(Date.now() + HOUR),
    signingAlgorithm: ALGORITHM,
  };
}

function extensions({ names, client }: CertificateOptions): Extension[] {
  const usage = client ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth;
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([usage]),
    new SubjectAlternativeNameExtension(names.map(alternativeName)),
  ];
}

function alternativeName(value: string): JsonGeneralName {
  const isIp = value.includes(":") || /^[\d.]+$/.test(value);
  return { type: isIp ? "ip" : "dns", value };
}

function pem(cert: X509Certificate): string {
  return `${cert.toString("pem")}\n`;
}

async function keyPem({ privateKey }: CryptoKeyPair): Promise<string> {
  const der = await crypto.subtle.exportKey("pkcs8", privateKey);
  return `${PemConverter.encode(der, PemConverter.PrivateKeyTag)}\n`;
}
