/**
 * Fetches one file over several network cards at once: as fast as all of them together, and to the end
 * if one of them fails on the way.
 *
 *     deno run --allow-net multi_nic_download.ts   # from a slow server of its own, over loopback
 *     deno run --allow-net --allow-sys=networkInterfaces --allow-read --allow-write \
 *       multi_nic_download.ts --url http://192.0.2.1/file --nic eth0 --nic wlan0 --out file
 *
 * The server has to serve ranges. With `--sha256 HEX`, or if the server tells (Repr-Digest), the file is
 * checked; it appears under its name when it is complete.
 *
 * @module
 */
import { formatAddr, Interface, Route } from "@p2pd/pipes";
import { createHash } from "node:crypto";
import { megabytes, Progress } from "./_progress.ts";
import { download, type FileInfo, type Way, type Write } from "./_range_client.ts";
import { sampleFile, serveRanges } from "./_range_server.ts";

const USAGE = "Usage: deno run --allow-net --allow-sys=networkInterfaces --allow-read " +
  "--allow-write multi_nic_download.ts --url URL --nic NAME... --out FILE [--sha256 HEX]";

/** Where the parts go, and what is known of the whole then. */
interface Target {
  begin(info: FileInfo): void;
  readonly write: Write;
}

/** Fetches, showing how it goes, and gives the seconds that it took. */
async function fetchOver(url: URL, ways: readonly Way[], target: Target): Promise<number> {
  const progress = new Progress(ways.map(({ name }) => name));
  const start = performance.now();
  const { size } = await download({
    url,
    ways,
    begin: (info) => {
      progress.begin(info.size);
      target.begin(info);
    },
    write: async (at, bytes, way) => {
      await target.write(at, bytes, way);
      progress.add(way.name, bytes.length);
    },
    lost: ({ name }, error) => progress.say(`${name} failed: ${textOf(error)}`),
  });
  progress.end();
  const seconds = (performance.now() - start) / 1000;
  const names = ways.map(({ name }) => name).join(" and ");
  console.log(`${megabytes(size)} over ${names} in ${seconds.toFixed(2)} s`);
  return seconds;
}

/** What the digest should be, in hexadecimal: what the user says, or else the server. */
function check(actual: string, info: FileInfo | undefined, given?: string): void {
  const told = info?.sha256 === undefined ? undefined : Uint8Array.fromBase64(info.sha256).toHex();
  const wanted = given?.toLowerCase() ?? told;
  if (wanted !== undefined && wanted !== actual) {
    throw new Error(`The file is damaged: SHA-256 ${actual}, and not ${wanted}`);
  }
  console.log(
    `SHA-256 ${actual}${wanted === undefined ? " (nobody tells what it should be)" : ""}`,
  );
}

/** Two addresses of loopback as the cards, and a server that is slow to each address. */
async function demo(): Promise<void> {
  const rate = 1024 * 1024, size = 1.5 * rate;
  await using server = await serveRanges({ route: "127.0.0.1:0", file: sampleFile(size), rate });
  const url = new URL(`http://${formatAddr(server.localAddr)}/`);
  console.log(`A server at ${url} gives each address ${megabytes(rate)} a second`);
  const family = "IPv4";
  const ways = ["127.0.0.1", "127.0.0.2"].map((ip) => {
    return { name: ip, route: new Route({ family, nicIps: [ip] }) };
  });
  const times: number[] = [];
  for (const chosen of [ways.slice(0, 1), ways]) {
    const file = new Uint8Array(size);
    let info: FileInfo | undefined;
    times.push(
      await fetchOver(url, chosen, {
        begin: (told) => info = told,
        write: (at, bytes) => Promise.resolve(file.set(bytes, at)),
      }),
    );
    check(createHash("sha256").update(file).digest("hex"), info);
  }
  const [one = 0, both = 1] = times;
  console.log(`${(one / both).toFixed(1)} times as fast over both`);
}

interface Arguments {
  readonly url: URL;
  readonly nics: readonly Interface[];
  readonly out: string;
  readonly sha256: string | undefined;
}

/** Fetches into a file beside the one that is wanted, which gets its name when it is complete. */
async function fetchFile({ url, nics, out, sha256 }: Arguments): Promise<void> {
  const part = `${out}.part`;
  let info: FileInfo | undefined;
  try {
    {
      using file = await Deno.open(part, { write: true, create: true, truncate: true });
      let last = Promise.resolve();
      const write: Write = (at, bytes) => last = last.then(() => writeAt(file, at, bytes));
      const ways = nics.map((nic) => ({ name: nic.name, route: nic }));
      await fetchOver(url, ways, { begin: (told) => info = told, write });
    }
    const hash = createHash("sha256");
    using file = await Deno.open(part);
    for await (const bytes of file.readable) hash.update(bytes);
    check(hash.digest("hex"), info, sha256);
    await Deno.rename(part, out);
  } catch (error) {
    await Deno.remove(part).catch(() => {});
    throw error;
  }
}

async function writeAt(file: Deno.FsFile, at: number, bytes: Uint8Array): Promise<void> {
  await file.seek(at, Deno.SeekMode.Start);
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function parseArguments(args: readonly string[]): Arguments {
  const given = new Map<string, string[]>();
  for (let i = 0; i < args.length; i += 2) {
    const [name = "", value] = args.slice(i, i + 2);
    if (!["--url", "--nic", "--out", "--sha256"].includes(name) || value === undefined) {
      throw new TypeError(`arguments: cannot understand "${args.slice(i).join(" ")}"`);
    }
    given.set(name, [...given.get(name) ?? [], value]);
  }
  const one = (name: string) => {
    const values = given.get(name) ?? [];
    if (values.length > 1) throw new TypeError(`arguments: ${name} can be there once only`);
    return values[0];
  };
  const [url, out, sha256] = [one("--url"), one("--out"), one("--sha256")];
  const names = given.get("--nic");
  if (url === undefined || out === undefined || names === undefined) {
    throw new TypeError("arguments: --url, --nic and --out are needed");
  }
  if (new Set(names).size < names.length) throw new TypeError("arguments: a --nic is there twice");
  const parsed = URL.parse(url);
  if (parsed?.protocol !== "http:") {
    throw new TypeError(`arguments: --url must be an http: URL, got "${url}"`);
  }
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256)) {
    throw new TypeError(`arguments: --sha256 must be 64 hexadecimal digits, got "${sha256}"`);
  }
  return { url: parsed, nics: names.map((name) => Interface.get(name)), out, sha256 };
}

try {
  if (Deno.args.length === 0) await demo();
  else await fetchFile(parseArguments(Deno.args));
} catch (error) {
  console.error(textOf(error));
  // Wrong arguments, ours or the library's, are TypeErrors and RangeErrors.
  const usage = error instanceof TypeError || error instanceof RangeError;
  if (usage) console.error(USAGE);
  Deno.exit(usage ? 2 : 1);
}
