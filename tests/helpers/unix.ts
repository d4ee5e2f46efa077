/**
 * Paths for Unix sockets.
 *
 * @module
 */

function may(name: "read" | "write"): boolean {
  return Deno.permissions.querySync({ name }).state === "granted";
}

/** Whether this process may have Unix sockets on paths. */
export const hasPaths = Deno.build.os !== "windows" && may("read") && may("write");

/** Whether there are names that are no files. They need the permission for the network alone. */
export const hasAbstract = Deno.build.os === "linux" &&
  Deno.permissions.querySync({ name: "net" }).state === "granted";

let directory: string | undefined;
let last = 0;

/** A path where nothing is, in a directory that goes away with the process. */
export function freePath(): string {
  if (directory === undefined) {
    const made = directory = Deno.makeTempDirSync({ prefix: "pipes-" });
    addEventListener("unload", () => Deno.removeSync(made, { recursive: true }));
  }
  return `${directory}/${++last}.sock`;
}

/** A name that nobody has. */
export function abstractName(): string {
  return `\0pipes-${crypto.randomUUID()}`;
}

/** The socket file of a server that is gone. */
export function deadSocket(path: string): void {
  const listener = Deno.listen({ transport: "unix", path: `${path}.was` });
  Deno.linkSync(`${path}.was`, path);
  listener.close();
  // The next file may get its number, but not its age.
  Deno.utimeSync(path, 1, 1);
}

/** Whether anything is at a path. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
