import { PipeClosedError, PipeStateError } from "../errors.ts";
import { addrKey, formatAddr, parseDest } from "../net/address.ts";
import type { ConnPipe } from "./pipe.ts";
import type { Dest } from "./types.ts";

/** The connections of a server, and which of them a destination means. */
export class ClientBook {
  readonly #server: { readonly isOpen: boolean };
  readonly #all = new Set<ConnPipe>();
  /** Those that have failed, and of which something is still being handled. */
  readonly #broken = new Set<ConnPipe>();
  readonly #byAddr = new Map<string, ConnPipe>();
  /** Further ones with the peer address of one of those: streams of QUIC, or the server has several addresses. */
  readonly #further = new Map<string, Set<ConnPipe>>();
  /** By the very object that a message came from. */
  readonly #byFrom = new WeakMap<WeakKey, ConnPipe>();

  /** @param server Whose they are; tells why one is not found. */
  constructor(server: { readonly isOpen: boolean }) {
    this.#server = server;
  }

  /** Those that are not closed, oldest first. */
  get all(): ReadonlySet<ConnPipe> {
    return this.#all;
  }

  /** Those of which anything may still be handled. */
  get handled(): readonly ConnPipe[] {
    return [...this.#all, ...this.#broken];
  }

  /** Whether it is one of these. */
  handles(pipe: ConnPipe): boolean {
    return this.#all.has(pipe) || this.#broken.has(pipe);
  }

  /** There is one more. */
  add(pipe: ConnPipe): void {
    this.#all.add(pipe);
    const { remoteAddr } = pipe;
    if (remoteAddr === undefined) return;
    this.#byFrom.set(remoteAddr, pipe);
    if (remoteAddr.port === 0) return; // the clients of a Unix socket have no address
    const key = addrKey(remoteAddr.hostname, remoteAddr.port);
    if (!this.#byAddr.has(key)) this.#byAddr.set(key, pipe);
    else if (this.#further.get(key)?.add(pipe) === undefined) {
      this.#further.set(key, new Set([pipe]));
    }
  }

  /** One is closed, and all of it was handled. */
  forget(pipe: ConnPipe): void {
    this.#broken.delete(pipe);
  }

  /** One is closed. */
  delete(pipe: ConnPipe): void {
    this.#all.delete(pipe);
    if (pipe.awaitsEnds) this.#broken.add(pipe);
    const { remoteAddr } = pipe;
    if (remoteAddr === undefined) return;
    const key = addrKey(remoteAddr.hostname, remoteAddr.port);
    const further = this.#further.get(key);
    further?.delete(pipe);
    if (this.#byAddr.get(key) === pipe) {
      this.#byAddr.delete(key);
      for (const next of further ?? []) {
        this.#byAddr.set(key, next);
        further?.delete(next);
        break;
      }
    }
    if (further?.size === 0) this.#further.delete(key);
  }

  /**
   * The connection to a client.
   *
   * @param action What it is wanted for, in the words of an error.
   * @param dest The client.
   * @throws {PipeStateError} When no client is named.
   * @throws {PipeClosedError} When there is no such client.
   */
  find(action: string, dest: Dest | undefined): ConnPipe {
    if (dest === undefined) {
      throw new PipeStateError(
        `Cannot ${action}: a server has no peer of its own; name a client as dest, as in ` +
          "send(msg, from)",
      );
    }
    // What a message came from needs no parsing; anything else may be spelt in another way.
    const known = typeof dest === "object" && dest !== null ? this.#byFrom.get(dest) : undefined;
    if (known !== undefined) return known;
    const exact = parseDest(dest, "dest", { literal: true, zeroPort: false });
    const client = this.#byAddr.get(addrKey(exact.hostname, exact.port));
    if (client !== undefined) return client;
    const why = this.#server.isOpen
      ? `${formatAddr(exact)} is not connected (any more)`
      : "the server is closed";
    throw new PipeClosedError(`Cannot ${action}: ${why}`);
  }
}
