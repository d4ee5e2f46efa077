/** Certificates as files, for programs that want them so, and what the tests of TLS with them share. */
import { authority, type Certificate } from "../helpers/certificates.ts";
import { labTest, Program } from "./_helpers.ts";

/** What the tests with other programs need for TLS. */
export interface TlsFiles {
  /** The folder with `ca.pem`, `cert.pem`, `key.pem`, `client_cert.pem`, `client_key.pem`. */
  readonly dir: string;
  /** The authority's certificate. */
  readonly caCerts: readonly string[];
  /** For localhost and 127.0.0.1. */
  readonly server: Certificate;
  /** For a client, "CN=client". */
  readonly client: Certificate;
}

/** Makes an authority, certificates for both sides, and files of them that are removed after the test. */
async function withTlsFiles(test: (files: TlsFiles) => Promise<void>): Promise<void> {
  const ca = await authority("Lab CA");
  const server = await ca.issue({ names: ["localhost", "127.0.0.1"] });
  const client = await ca.issue({ names: ["client"], client: true });
  const dir = await Deno.makeTempDir();
  try {
    const files = {
      ca: ca.cert,
      cert: server.cert,
      key: server.key,
      client_cert: client.cert,
      client_key: client.key,
    };
    for (const [name, pem] of Object.entries(files)) {
      await Deno.writeTextFile(`${dir}/${name}.pem`, pem);
    }
    await test({ dir, caCerts: [ca.cert], server, client });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** A lab test with such files. */
export function tlsTest(name: string, test: (files: TlsFiles) => Promise<void>): void {
  labTest(name, () => withTlsFiles(test));
}

/** Bytes as text. */
export function decode(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** openssl's client, which accepts a certificate for localhost from our authority and no other. */
export function sClient(dir: string, port: number, ...more: readonly string[]): Program {
  const checks = ["-CAfile", "ca.pem", "-verify_return_error", "-verify_hostname", "localhost"];
  const to = ["-connect", `127.0.0.1:${port}`, "-servername", "localhost"];
  return new Program("openssl", ["s_client", ...to, ...checks, ...more], dir);
}
