/** Streams of big writes: to a server that takes all, and through a relay. */
import type { Job, Traffic } from "../protocol.ts";
import { checked, libc, moved, MSG_DONTWAIT, MSG_TRUNC } from "./libc.ts";
import { meter } from "./meter.ts";
import { accept, connect } from "./socket.ts";

const SHUT_WR = 1;

/** Measures a server that reads and throws away, until it has read everything. */
export function sink({ port, pid, size, seconds }: Job): Traffic {
  const fd = connect("tcp", port);
  const out = new Uint8Array(size).fill(7);
  const end = performance.now() + seconds * 1000;
  const done = meter(pid);
  let sent = 0;
  while (performance.now() < end) sent += checked(libc.send(fd, out, size, 0), "send");
  checked(libc.shutdown(fd, SHUT_WR), "shutdown");
  // The server ends its side when it has seen the end of ours.
  const n = checked(libc.recv(fd, out, size, 0), "the server's end");
  if (n !== 0) throw new Error(`the server sent ${n} bytes`);
  const traffic = done(sent);
  libc.close(fd);
  return traffic;
}

/** Measures a relay to `listener`, until everything came through. */
export function relay({ port, pid, size, seconds }: Job, listener: number): Traffic {
  const source = connect("tcp", port);
  const target = accept(listener);
  const out = new Uint8Array(size).fill(7);
  const end = performance.now() + seconds * 1000;
  const done = meter(pid);
  let sent = 0;
  let got = 0;
  let offset = 0;
  for (let more = true; more || got < sent;) {
    more &&= performance.now() < end;
    let n = -1;
    if (more) {
      n = moved(libc.send(source, out.subarray(offset), size - offset, MSG_DONTWAIT), "send");
      if (n > 0) sent += n;
      if (n > 0) offset = (offset + n) % size;
    }
    // When nothing can be sent, what is under way is worth waiting for. It is thrown away in place of
    // being copied (so it may be more than fits into the buffer), or this process would do as much
    // work as a relay.
    const wait = n < 0 && got < sent;
    const flags = wait ? MSG_TRUNC : MSG_TRUNC | MSG_DONTWAIT;
    const m = moved(libc.recv(target, out, 16 * size, flags), "recv");
    if (m > 0) got += m;
    else if (m === 0 || wait) throw new Error(`of ${sent} bytes ${got} came through the relay`);
  }
  const traffic = done(got);
  // One side after the other, as it is between peers that have said all.
  endOf(source, target);
  endOf(target, source);
  libc.close(source);
  libc.close(target);
  return traffic;
}

/** Ends one side of a relay, and waits until the other side sees it. */
function endOf(near: number, far: number): void {
  checked(libc.shutdown(near, SHUT_WR), "shutdown");
  const n = checked(libc.recv(far, new Uint8Array(1), 1, 0), "the relay's end");
  if (n !== 0) throw new Error("the relay sent more than it got");
}
