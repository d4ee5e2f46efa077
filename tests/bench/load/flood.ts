/** Datagrams as fast as they leave. What of it arrives is for the server to say. */
import type { Job, Traffic } from "../protocol.ts";
import { checked, libc } from "./libc.ts";
import { meter } from "./meter.ts";
import { connect } from "./socket.ts";

/** Datagrams between two looks at the clock. */
const BURST = 32;

/** Floods a server. Gives what was sent. */
export function flood({ port, pid, size, seconds }: Job): Traffic {
  const fd = connect("udp", port);
  const out = new Uint8Array(size).fill(7);
  const end = performance.now() + seconds * 1000;
  const done = meter(pid);
  let sent = 0;
  for (; performance.now() < end; sent += BURST) {
    for (let i = 0; i < BURST; i++) checked(libc.send(fd, out, size, 0), "send");
  }
  const traffic = done(sent);
  libc.close(fd);
  return traffic;
}
