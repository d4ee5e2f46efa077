/**
 * A TLS echo server and a client.
 *
 *     deno run --allow-net tls_echo.ts    # with certificates made on the spot
 *     deno run --allow-net --allow-read tls_echo.ts --cert cert.pem --key key.pem --ca ca.pem
 *
 * Yours must be for "localhost". Without `--ca` they must come from an authority that Deno trusts.
 *
 * @module
 */
import { formatAddr, type Pipe, pipeOpen, PipeOpenError, TCP, type TlsConf } from "@p2pd/pipes";

const USAGE = "Usage: deno run --allow-net [--allow-read] tls_echo.ts " +
  "[--cert FILE --key FILE [--ca FILE]]";

/** What the two sides need to know. All texts are PEM. */
interface Certificates {
  /** The server's certificate, with those between it and the authority if there are any. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
  /** The authority's certificate, where Deno does not know it. */
  readonly ca: string | undefined;
}

async function demo({ cert, key, ca }: Certificates): Promise<void> {
  await using server = await pipeOpen(TCP, {
    route: "127.0.0.1:0",
    // Handlers, loops and accept() see a client when its handshake is done, and no client else.
    msgCb: (msg, _from, pipe) => pipe.send(msg),
    conf: {
      useSsl: { cert, key },
      // Told of each handshake that failed. Which client refuses us is no secret, and no news here.
      onError: () => {},
    },
  });
  console.log(`Listening on ${formatAddr(server.localAddr)}, with TLS`);

  // `useSsl: true` and {} trust whom Deno trusts; caCerts takes the place of these.
  const trust: TlsConf = ca === undefined ? {} : { caCerts: [ca] };
  const dest = ["localhost", server.localAddr.port] as const;

  // The host in dest is the name that the server's certificate must have.
  await using client = await pipeOpen(TCP, { dest, conf: { useSsl: trust } });
  console.log(`Connected with ${about(client)}`);
  for (const text of ["hello", "nobody can read this on the way"]) {
    const [reply] = await client.request(text);
    console.log(`sent "${text}", got "${new TextDecoder().decode(reply)}"`);
  }

  // A server that cannot prove to be who it should be gets nothing but a closed connection.
  try {
    const useSsl = { ...trust, serverName: "bank.example" };
    await using _never = await pipeOpen(TCP, { dest, conf: { useSsl } });
  } catch (error) {
    if (!(error instanceof PipeOpenError)) throw error;
    console.log(`It is not bank.example: PipeOpenError, phase "${error.phase}"`);
  }
}

/** What was agreed on, and with whom. */
function about({ tls }: Pipe): string {
  const { subject, issuer } = tls?.peerCertificate ?? {};
  return `${tls?.protocol} to "${subject}", says "${issuer}"`;
}

/** Good for the next hour, on this machine. */
async function makeCertificates(): Promise<Certificates> {
  const { authority } = await import("../tests/helpers/certificates.ts");
  const own = await authority("An authority of our own");
  return { ...await own.issue({ names: ["localhost"] }), ca: own.cert };
}

async function readCertificates(args: readonly string[]): Promise<Certificates> {
  const files = new Map<string, string>();
  for (let i = 0; i < args.length; i += 2) {
    const [option = "", file] = [args[i], args[i + 1]];
    if (!["--cert", "--key", "--ca"].includes(option) || file === undefined) {
      throw new TypeError(`arguments: cannot understand "${args.slice(i).join(" ")}"`);
    }
    files.set(option, await Deno.readTextFile(file));
  }
  const [cert, key] = [files.get("--cert"), files.get("--key")];
  if (cert === undefined || key === undefined) {
    throw new TypeError("arguments: --cert and --key belong together");
  }
  return { cert, key, ca: files.get("--ca") };
}

try {
  await demo(
    Deno.args.length === 0 ? await makeCertificates() : await readCertificates(Deno.args),
  );
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  // Wrong arguments, ours or the library's, are TypeErrors and RangeErrors.
  const usage = error instanceof TypeError || error instanceof RangeError;
  if (usage) console.error(USAGE);
  Deno.exit(usage ? 2 : 1);
}
