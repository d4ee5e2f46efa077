/**
 * Paths of Unix sockets (unix(7)), checked before any socket exists.
 *
 * @module
 */
import { show } from "./show.ts";

/** The room for a path with its final NUL. A name in Linux' abstract namespace has no final NUL. */
const ROOM = ["linux", "android", "windows"].includes(Deno.build.os) ? 108 : 104;

const encoder = new TextEncoder();

/** Whether a path is a name in Linux' abstract namespace, which is no file. */
export function isAbstract(path: string): boolean {
  return path.startsWith("\0");
}

/**
 * Checks the path of a Unix socket.
 *
 * @param path The path; one that begins with a NUL is a name in Linux' abstract namespace.
 * @param what The argument's name, for the error.
 * @returns The same path.
 * @throws {TypeError} If it is no path.
 * @throws {RangeError} If it is longer than the system's addresses can be.
 */
export function checkPath(path: unknown, what: string): string {
  const refuse = (why: string) => new TypeError(`${what}: ${why}, got ${show(path)}`);
  if (typeof path !== "string") throw refuse("path must be a string");
  if (path === "") throw refuse("path is empty: this socket has no name");
  if (!path.isWellFormed()) throw refuse("path is not well-formed Unicode");
  const name = isAbstract(path) ? path.slice(1) : path;
  if (name === "" || name.includes("\0")) {
    throw refuse("path can have a NUL at its beginning only, before an abstract name");
  }
  const most = isAbstract(path) ? ROOM : ROOM - 1;
  if (path.length > most || encoder.encode(path).length > most) {
    throw new RangeError(`${what}: path must not be longer than ${most} bytes, got ${show(path)}`);
  }
  return path;
}
