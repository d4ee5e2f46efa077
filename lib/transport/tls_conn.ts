import type { Buffer } from "node:buffer";
import type { TLSSocket } from "node:tls";
import type { PeerCertificate, TlsInfo } from "../pipe/tls_info.ts";
import { Ring } from "../pipe/ring.ts";
import { translate, TransportError } from "./error.ts";
import { NodeTransport } from "./node_conn.ts";
import type { TransportDuplex } from "./tls_duplex.ts";
import type { Sink, Transport } from "./transport.ts";

/**
 * A connection in TLS, on top of another transport.
 *
 * Its socket is never paused, because a TLSSocket on a stream (Deno 2.9) that is paused while it hands
 * out data may forget the end that follows. What nobody has asked for yet is kept here, and it is the
 * duplex that stops when that is enough.
 */
export class TlsTransport extends NodeTransport {
  readonly #duplex: TransportDuplex;
  readonly #under: Transport;
  readonly #kept = new Ring<Buffer>();
  #keptBytes = 0;
  #underEnded = false;
  #ending = false;
  #look: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param socket The TLS socket, paused, its handshake done.
   * @param duplex What it reads and writes.
   * @param under The transport that is the duplex; owned from here on.
   * @param tls What was agreed on.
   */
  constructor(socket: TLSSocket, duplex: TransportDuplex, under: Transport, tls: TlsInfo) {
    super(
      socket,
      { localAddr: under.localAddr, remoteAddr: under.remoteAddr ?? under.localAddr },
      tls,
    );
    this.#duplex = duplex;
    this.#under = under;
    // A TLSSocket that no `tls.Server` has made keeps its errors to itself but for this.
    socket.on("_tlsError", (error: Error) => this.fail(translate(error)));
    duplex.onFull = () => this.#lookAgain();
    duplex.onInputEnd = (error) => this.#onUnderEnd(error);
    socket.resume();
  }

  override pull(sink: Sink): Promise<"paused" | "end"> {
    try {
      for (let chunk; !this.reading && (chunk = this.#kept.shift()) !== undefined;) {
        this.#keptBytes -= chunk.length;
        this.#duplex.taken(chunk.length);
        const more = sink(this.own(chunk), this.remoteAddr);
        if (this.shut) return Promise.resolve("end");
        if (!more) return Promise.resolve("paused");
      }
    } catch (error) {
      return Promise.reject(error);
    }
    return super.pull(sink);
  }

  protected override flow(): void {}

  protected override hold(): void {}

  protected override onData(chunk: Buffer): void {
    if (this.reading || this.#ending) {
      super.onData(chunk);
      this.#duplex.taken(chunk.length);
      return;
    }
    this.reads++;
    this.#kept.push(chunk);
    this.#keptBytes += chunk.length;
  }

  protected override async write(data: Uint8Array): Promise<void> {
    try {
      await super.write(data);
      await this.#duplex.sent();
    } catch (error) {
      // What TLS says is that it is closed, not why.
      const why = this.#duplex.lost ?? translate(error);
      this.fail(why);
      throw why;
    }
  }

  protected reset(): void {
    this.#stopLooking();
    this.raw.destroy();
    this.#under.abort();
  }

  /** Ends TLS (close_notify) and then the connection, which a peer may look at alone. */
  protected override async sendEnd(): Promise<void> {
    await super.sendEnd();
    // Where something was lost already, the end is lost with it.
    await this.#duplex.sent().catch(() => {});
    await this.#under.closeWrite?.().catch(() => {});
  }

  protected async free(): Promise<void> {
    this.#stopLooking();
    await this.sendEnd();
    await this.#under.close();
  }

  /** Closing: how the input ends is of no interest any more. */
  #stopLooking(): void {
    this.#ending = true;
    this.#kept.clear();
    this.#duplex.onInputEnd = undefined;
    this.#duplex.onFull = undefined;
    clearTimeout(this.#look);
  }

  #onUnderEnd(error: unknown): void {
    this.#underEnded = true;
    if (error !== undefined) this.fail(translate(error));
    else this.#lookAgain();
  }

  /** Looks in a moment whether everything that was received has come out of TLS. */
  #lookAgain(): void {
    const before = this.reads;
    clearTimeout(this.#look);
    this.#look = setTimeout(() => {
      if (this.inputEnded) return;
      const onItsWay = this.raw.readableLength + this.#duplex.readableLength;
      if (this.reads > before || onItsWay > 0) return this.#lookAgain();
      this.#duplex.left(this.#keptBytes);
      if (this.#underEnded) this.#truncated();
    });
  }

  /**
   * Anybody can end a TCP connection; only the peer can say in TLS that it was meant (RFC 8446, section
   * 6.1).
   */
  #truncated(): void {
    const cause = new Deno.errors.UnexpectedEof("The connection ended without the end of TLS");
    this.fail(new TransportError("reset", cause));
  }
}

/** What the two sides agreed on. */
export function infoOf(
  socket: TLSSocket,
  serverName: string | undefined,
  authorized: boolean,
): TlsInfo {
  return Object.freeze({
    protocol: socket.getProtocol() ?? undefined,
    alpnProtocol: socket.alpnProtocol || null,
    serverName,
    authorized,
    peerCertificate: certificateOf(socket),
  });
}

function certificateOf(socket: TLSSocket): PeerCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const { subject, issuer, subjectAltName, validFrom, validTo, serialNumber } = certificate;
  const oneLine = (name: string) => name.split("\n").filter((part) => part !== "").join(", ");
  return Object.freeze({
    subject: oneLine(subject),
    issuer: oneLine(issuer),
    // A name with a comma in it is quoted.
    names: Object.freeze(
      subjectAltName?.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g)?.map((name) => name.trim()) ?? [],
    ),
    validFrom: new Date(validFrom),
    validTo: new Date(validTo),
    serialNumber,
    fingerprint256: certificate.fingerprint256,
    raw: new Uint8Array(certificate.raw),
  });
}
