import { PipeClosedError, PipeStateError } from "../errors.ts";
import { addrKey, formatAddr, parseDest } from "../net/address.ts";
import type { ConnPipe } from "./pipe.ts";
import type { Dest } from "./types.ts";

/** The connections of a server, and which of them a destination means. */
export class ClientBook {
  readonly #server: { readonly isOpen: boolean };
  readonly #all = new Set<ConnPipe>();
  readonly #byAddr = new Map<string, ConnPipe>();
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

  /** There is one more. */
  add(pipe: ConnPipe): void {
    this.#all.add(pipe);
    // Two connections can have one peer address, if this server has several of its own.
    // And the clients of a Unix socket have none at all, which is port 0.
    const key = keyOf(pipe);
    if (!this.#byAddr.has(key) && pipe.remoteAddr?.port !== 0) this.#byAddr.set(key, pipe);
    if (pipe.remoteAddr !== undefined) this.#byFrom.set(pipe.remoteAddr, pipe);
  }

  /** One is closed. */
  delete(pipe: ConnPipe): void {
    this.#all.delete(pipe);
    const key = keyOf(pipe);
    if (this.#byAddr.get(key) === pipe) this.#byAddr.delete(key);
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

function keyOf(pipe: ConnPipe): string {
  const { hostname, port } = pipe.remoteAddr ?? pipe.localAddr;
  return addrKey(hostname, port);
}
