import type { Connection } from "./connection.ts";

/** The connection that an object of the platform belongs to: apart, so that asking loads nothing else. */
const connections = new WeakMap<object, Connection>();

/** Remembers it. */
export function register(raw: object, connection: Connection): void {
  connections.set(raw, connection);
}

/** The connection under what `raw` of a transport gave, if it is one of QUIC. */
export function connectionOf(raw: unknown): Connection | undefined {
  return typeof raw === "object" && raw !== null ? connections.get(raw) : undefined;
}
