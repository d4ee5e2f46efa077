/**
 * Closing a TCP socket whose input was not read to the end resets the connection: the peer loses what
 * was sent to it and not yet transmitted (RFC 2525, section 2.17). So read a last time before closing.
 *
 * @module
 */

/**
 * The platform's own timer, also where a test put a false clock in its place. Only looked up here: to
 * look at it makes Deno load it, which takes 10 ms.
 */
const own = Object.getOwnPropertyDescriptor(globalThis, "setTimeout");

function wait(ms: number): Promise<void> {
  const timer: typeof setTimeout = own?.get?.call(globalThis) ?? own?.value ?? setTimeout;
  return new Promise((resolve) => void timer(resolve, ms));
}

/** What is no more than this has left the system by the next turn, as a rule. */
const LITTLE = 64 * 1024;

/** A wait for quiet: how long a step is, how many quiet ones are enough, and how many there may be. */
interface Patience {
  readonly step: number;
  readonly quiet: number;
  readonly most: number;
}

const SHORT: Patience = { step: 0, quiet: 1, most: 50 };
const LONG: Patience = { step: 5, quiet: 20, most: 400 };

/**
 * Waits, after the end was sent, until closing can hurt no more: until the peer has ended its side, or
 * has sent nothing for a moment. Where much was sent, which the system may still be sending, the
 * moment is 100 ms, otherwise a turn of the event loop. Either wait is bounded, by 2 s and 50 turns, so
 * that no peer can keep a socket open; and one that goes on sending after that is reset, as no socket
 * can help.
 *
 * @param sent How many bytes were sent.
 * @param reads Starts reading if nobody does, and tells how many reads there were so far; undefined
 * when there is nothing more to wait for.
 */
export async function inputQuiet(sent: number, reads: () => number | undefined): Promise<void> {
  const { step, quiet, most } = sent > LITTLE ? LONG : SHORT;
  let before = reads();
  for (let turn = 0, still = 0; before !== undefined && turn < most && still < quiet; turn++) {
    await wait(step);
    const now = reads();
    still = now === before ? still + 1 : 0;
    before = now;
  }
}
