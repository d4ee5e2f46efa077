/**
 * The files of Unix sockets: whether they may be used, and whose they are. The system leaves the file of
 * a server that died where it is, and refuses its path to the next one.
 *
 * @module
 */
import { isAbstract } from "../net/unix_path.ts";
import { translate, TransportError } from "./error.ts";

/** Whether a permission is there, without a prompt. */
function granted(permission: Deno.PermissionDescriptor): boolean {
  try {
    return Deno.permissions.querySync(permission).state === "granted";
  } catch {
    return true; // a version that cannot be asked tells when the socket is used
  }
}

/**
 * Makes sure that the process may use a Unix socket, because Deno would ask the user.
 *
 * @param path The path.
 * @throws {TransportError} That names the flags that are missing.
 */
export function checkAccess(path: string): void {
  const missing: string[] = [];
  if (isAbstract(path)) {
    // No flag can name it.
    if (!granted({ name: "net" })) missing.push("--allow-net");
  } else {
    if (!granted({ name: "net", host: `unix:${path}` })) missing.push(`--allow-net=unix:${path}`);
    if (!granted({ name: "read", path })) missing.push(`--allow-read=${path}`);
    if (!granted({ name: "write", path })) missing.push(`--allow-write=${path}`);
  }
  if (missing.length === 0) return;
  const message = `run with ${missing.join(" ")} to use this Unix socket`;
  throw new TransportError("denied", new Deno.errors.NotCapable(message));
}

/** What is at a path, if anything is and may be looked at. Never asks the user. */
function look(path: string): Deno.FileInfo | undefined {
  if (isAbstract(path) || !granted({ name: "read", path })) return undefined;
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

/** The file of one Unix socket, whatever else comes to its path later. */
export class SocketFile {
  readonly #path: string;
  readonly #info: Deno.FileInfo;

  private constructor(path: string, info: Deno.FileInfo) {
    this.#path = path;
    this.#info = info;
  }

  /** The socket at a path; undefined if there is none, or it has no file. */
  static at(path: string): SocketFile | undefined {
    const info = look(path);
    return info?.isSocket === true ? new SocketFile(path, info) : undefined;
  }

  /**
   * Whether its path still leads to it. As long as the socket is open no other file can be taken for
   * this one.
   */
  get isThere(): boolean {
    const info = look(this.#path);
    return info !== undefined && info.dev === this.#info.dev && info.ino === this.#info.ino;
  }

  /** Removes it, unless something else is at its path. */
  remove(): void {
    if (this.isThere) Deno.removeSync(this.#path);
  }

  /** The same if nobody has the socket open: the number of such a file may be given to another one. */
  removeDead(): void {
    const { mtime, ctime } = this.#info, now = look(this.#path);
    if (Number(now?.mtime) === Number(mtime) && Number(now?.ctime) === Number(ctime)) this.remove();
  }

  /**
   * Prepares for the close of a listener of Deno's, which removes whatever is at its path: keeps what
   * is not this one, if the process may write beside it.
   *
   * @returns Puts it back, after the close.
   */
  keepOthers(): () => void {
    const path = this.#path;
    if (this.isThere || look(path) === undefined) return () => {};
    const kept = `${path}.${crypto.randomUUID().slice(0, 8)}`;
    if (!granted({ name: "read", path: kept }) || !granted({ name: "write", path: kept })) {
      return () => {};
    }
    try {
      Deno.linkSync(path, kept);
    } catch {
      return () => {}; // not on every file system
    }
    return () => {
      try {
        if (look(path) === undefined) Deno.renameSync(kept, path);
        else Deno.removeSync(kept);
      } catch {
        // The directory was removed.
      }
    };
  }
}

/**
 * Binds a Unix socket, in place of one that a server which has died left behind.
 *
 * @param path The path.
 * @param bind Binds it; called again when the path has become free.
 * @throws {TransportError} When it cannot be bound: because somebody listens there, or a file of another
 * kind is there, neither of which is touched.
 */
export async function bindPath<T>(path: string, bind: () => T): Promise<T> {
  checkAccess(path);
  try {
    return bind();
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse) || isAbstract(path)) throw translate(error);
    const file = SocketFile.at(path);
    if (file === undefined && look(path) !== undefined) {
      throw new TransportError("failed", inUse("a file that is no socket is there", error));
    }
    if (file !== undefined && await isServed(path)) {
      throw new TransportError("failed", inUse("somebody listens there", error));
    }
    return rebind(file, bind);
  }
}

/** In one go: nobody of this process can get in between. */
function rebind<T>(file: SocketFile | undefined, bind: () => T): T {
  try {
    file?.removeDead();
    return bind();
  } catch (error) {
    throw translate(error);
  }
}

function inUse(why: string, cause: unknown): Error {
  return new Deno.errors.AddrInUse(`the path is in use: ${why}`, { cause });
}

/** Whether somebody has the socket at a path open, of whichever kind. */
async function isServed(path: string): Promise<boolean> {
  try {
    const conn = await Deno.connect({ transport: "unix", path });
    conn.close();
    return true;
  } catch (error) {
    const nobody = error instanceof Deno.errors.ConnectionRefused ||
      error instanceof Deno.errors.NotFound;
    return !nobody;
  }
}
