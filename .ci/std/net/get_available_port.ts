/** Options for {@linkcode getAvailablePort}. */
export interface GetAvailablePortOptions {
  /** Taken when it is free. @default {0} */
  preferredPort?: number;
}

/** A TCP port that was free a moment ago: the preferred one if it was, else one the system chose. */
export function getAvailablePort(options?: GetAvailablePortOptions): number {
  const preferred = options?.preferredPort || 0;
  try {
    return bindOnce(preferred);
  } catch (error) {
    if (preferred === 0 || !(error instanceof Deno.errors.AddrInUse)) throw error;
    return bindOnce(0);
  }
}

function bindOnce(port: number): number {
  using listener = Deno.listen({ port });
  return listener.addr.port;
}
