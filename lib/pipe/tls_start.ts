import { PipeStateError } from "../errors.ts";
import { framed, FramedTransport } from "../framing/framed_transport.ts";
import type { Transport } from "../transport/transport.ts";
import type { NetConf } from "./conf.ts";
import type { Flow } from "./flow.ts";
import type { Kind } from "./mailbox.ts";
import { handshake, tlsContext } from "./secure.ts";
import { checkStartTls, type TlsConf } from "./tls_conf.ts";
import type { TlsInfo } from "./tls_info.ts";

/** What starting TLS needs of its pipe. */
export interface TlsStarter {
  readonly role: "client" | "server" | "accepted";
  readonly kind: Kind;
  readonly conf: Readonly<NetConf>;
  readonly tls: TlsInfo | undefined;
  readonly flow: Flow;
  /** What `readExactly` and `readUntil` have gathered so far. */
  readonly bytesInHand: number;
  /** Whether either side of the stream has ended. */
  readonly halfEnded: boolean;
  /** Why it cannot do something, if it is not open. */
  refusal(action: string): Error | undefined;
}

/** `Pipe.startTls`: everything but what it does to the pipe. */
export class TlsStart {
  /** With it done there is another transport, or the pipe has failed. */
  readonly secured: Promise<Transport>;
  readonly #control = new AbortController();

  /**
   * Stops reading in the clear and begins.
   *
   * @param pipe The pipe.
   * @param plain Its transport; left open when this fails.
   * @param tls The caller's argument.
   * @param name The host that the caller wanted to reach.
   * @throws {TypeError} When the argument is wrong.
   * @throws {PipeStateError} When the pipe cannot go on in TLS.
   */
  constructor(pipe: TlsStarter, plain: Transport, tls: unknown, name: string | undefined) {
    const side = pipe.role === "accepted" ? "server" : "client";
    const conf = checkStartTls(tls, { side, name });
    checkState(pipe, plain);
    const under = plain instanceof FramedTransport ? plain.under : plain;
    this.secured = this.#begin(under, conf, { side, name, timeout: pipe.conf.sslHandshake })
      .then((secured) => framed(secured, pipe.conf));
  }

  /** Gives up. */
  stop(): void {
    this.#control.abort();
  }

  async #begin(
    plain: Transport,
    conf: true | TlsConf,
    o: {
      readonly side: "client" | "server";
      readonly name: string | undefined;
      readonly timeout: number;
    },
  ): Promise<Transport> {
    const { name, timeout } = o, { signal } = this.#control;
    const context = await tlsContext(conf, o.side);
    return await handshake(plain, { context, name, timeout, signal });
  }
}

function checkState(pipe: TlsStarter, plain: Transport): void {
  const cannot = (why: string) => new PipeStateError(`Cannot start TLS: ${why}`);
  if (pipe.kind !== "stream") throw cannot("a datagram pipe has no stream to go on in TLS");
  if (pipe.tls !== undefined || plain.interrupt === undefined) {
    throw cannot("the pipe has TLS already");
  }
  const refusal = pipe.refusal("start TLS");
  if (refusal !== undefined) throw refusal;
  if (pipe.halfEnded) throw cannot("one side has ended already");
  // From here on nothing more is received in the clear.
  plain.interrupt();
  const { unread } = pipe.flow;
  if (unread > 0) {
    throw cannot(`what the peer has sent in the clear is still unread (messages: ${unread})`);
  }
  const inHand = pipe.bytesInHand + (plain instanceof FramedTransport ? plain.unread : 0);
  if (inHand > 0) {
    throw cannot(`what the peer has sent in the clear is still incomplete (bytes: ${inHand})`);
  }
}
