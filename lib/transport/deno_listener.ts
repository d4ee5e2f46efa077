import { delay } from "@std/async/delay";
import type { NetConf } from "../pipe/conf.ts";
import type { NetAddr } from "../pipe/types.ts";
import { denoAddr } from "./addr.ts";
import { ConnTransport } from "./deno_conn.ts";
import { busyWith, codeOf, translate } from "./error.ts";
import type { Acceptor, Transport } from "./transport.ts";
import type { SocketFile } from "./unix_file.ts";

/** The system has too little of something just now: wait before accepting again. */
const SHORTAGES: readonly unknown[] = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"];
const FIRST_WAIT = 50, LAST_WAIT = 1000;

/** Sets what differs from the system's defaults. */
export function setOptions(conn: Deno.Conn, conf: Readonly<NetConf>): void {
  try {
    if (conf.noDelay && "setNoDelay" in conn && typeof conn.setNoDelay === "function") {
      conn.setNoDelay(true);
    }
    if (conf.keepAlive && "setKeepAlive" in conn && typeof conn.setKeepAlive === "function") {
      conn.setKeepAlive(true);
    }
  } catch {
    // Some systems refuse once the peer has gone, which reading and writing will tell.
  }
}

/** What is known of a listener. */
export interface ListenerOptions {
  /** The zone of its link-local addresses. */
  readonly zone?: string;
  /** The file of a Unix socket. */
  readonly file?: SocketFile | undefined;
  /** An accept that is in progress already. */
  readonly accepting?: Promise<Deno.Conn>;
}

/** A listener of Deno's as an acceptor. */
export class ListenerAcceptor implements Acceptor {
  readonly localAddr: NetAddr;
  readonly raw: Deno.Listener;
  onShortage: ((error: unknown) => void) | undefined;
  readonly #conf: Readonly<NetConf>;
  readonly #zone: string;
  readonly #file: SocketFile | undefined;
  readonly #closing = new AbortController();
  #first: Promise<Deno.Conn> | undefined;
  #accepting: Promise<Transport | null> | undefined;
  #closed: Promise<void> | undefined;

  /**
   * @param listener The listener, owned from here on.
   * @param conf Options of the connections it accepts.
   * @param options What is known of it.
   */
  constructor(listener: Deno.Listener, conf: Readonly<NetConf>, options: ListenerOptions = {}) {
    const { zone = "", file, accepting } = options;
    this.localAddr = denoAddr(listener.addr, zone);
    this.raw = listener;
    this.#conf = conf;
    this.#zone = zone;
    this.#file = file;
    this.#first = accepting;
  }

  async accept(): Promise<Transport | null> {
    if (this.#accepting !== undefined) throw busyWith("accept");
    this.#accepting = this.#next();
    try {
      return await this.#accepting;
    } finally {
      this.#accepting = undefined;
    }
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #next(): Promise<Transport | null> {
    const { signal } = this.#closing;
    for (let wait = FIRST_WAIT; !signal.aborted;) {
      try {
        return this.#adopt(await this.#acceptOne());
      } catch (error) {
        const failure = translate(error);
        // "closed" without a close of ours: the owner of the raw listener closed it.
        if (signal.aborted || failure.fault === "closed") return null;
        if (failure.fault === "reset") continue; // that client left before it was accepted
        if (!SHORTAGES.includes(codeOf(error))) throw failure;
        this.onShortage?.(error);
        await delay(wait, { signal }).catch(() => {});
        wait = Math.min(wait * 2, LAST_WAIT);
      }
    }
    return null;
  }

  #acceptOne(): Promise<Deno.Conn> {
    const first = this.#first;
    this.#first = undefined;
    return first ?? this.raw.accept();
  }

  #adopt(conn: Deno.Conn): Transport | null {
    if (this.#closing.signal.aborted) {
      conn.close();
      return null;
    }
    setOptions(conn, this.#conf);
    return new ConnTransport(conn, this.#zone);
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    const putBack = this.#file?.keepOthers();
    try {
      this.raw.close();
    } catch {
      // The owner of the raw listener closed it.
    }
    // The system frees the port when the last call on the listener has returned.
    await this.#accepting?.catch(() => {});
    await this.#first?.then((conn) => conn.close(), () => {});
    putBack?.();
  }
}
