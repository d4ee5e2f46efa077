/** One socket that keeps a number of datagrams under way. */
import type { Job, Traffic } from "../protocol.ts";
import { checked, libc, moved } from "./libc.ts";
import { meter } from "./meter.ts";
import { connect, patience } from "./socket.ts";

/** After so long without an answer all that was under way is lost. Milliseconds. */
const SILENCE = 200;
/** That often in a row the server is gone. */
const MOST_SILENCES = 25;

/** Measures an echo server over UDP. */
export function udpEcho({ port, pid, width, size, seconds }: Job): Traffic {
  const fd = connect("udp", port);
  patience(fd, SILENCE);
  const out = new Uint8Array(size).fill(7);
  const words = new Uint32Array(out.buffer);
  const into = new Uint8Array(65536);
  const back = new Uint32Array(into.buffer);
  let sent = 0;
  let got = 0;
  let silent = 0;
  const send = () => {
    words[0] = ++sent;
    checked(libc.send(fd, out, size, 0), "send");
  };
  const burst = () => {
    for (let i = 0; i < width; i++) send();
  };
  const receive = () => {
    const n = moved(libc.recv(fd, into, into.length, 0), "recv");
    if (n < 0) return false;
    const seq = back[0] ?? NaN;
    if (n !== size || !(seq <= sent)) throw new Error(`${n} bytes, number ${seq}, came back`);
    got++;
    silent = 0;
    return true;
  };

  const end = performance.now() + seconds * 1000;
  const done = meter(pid);
  burst();
  while (performance.now() < end) {
    if (receive()) send();
    // Datagrams may be dropped. When all were, nothing would move any more.
    else if (++silent < MOST_SILENCES) burst();
    else throw new Error("the server does not answer");
  }
  const traffic = done(got);
  while (got < sent && receive());
  libc.close(fd);
  return { ...traffic, lost: sent - got };
}
