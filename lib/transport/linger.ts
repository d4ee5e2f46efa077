/**
 * Closing a TCP socket whose input was not read to the end resets the connection: the peer loses what
 * was sent to it and not yet transmitted (RFC 2525, section 2.17). So read a last time before closing.
 *
 * @module
 */

/** The platform's own timer, also where a test put a false clock in its place. */
const timer = setTimeout;

/** A peer that never stops sending is not waited for longer than this many turns. */
const TURNS = 50;

/**
 * Waits until nothing has arrived for a turn of the event loop: what the system had received is read
 * then. What is still on its way resets the connection all the same; no socket can do without that,
 * unless it waits for the end of its peer.
 *
 * @param reads Starts reading if nobody does, and tells how many reads there were so far; undefined
 * when there is nothing more to wait for.
 */
export async function inputQuiet(reads: () => number | undefined): Promise<void> {
  let before = reads();
  for (let turn = 0; before !== undefined && turn < TURNS; turn++) {
    await new Promise<void>((resolve) => timer(resolve, 0));
    const now = reads();
    if (now === before) return;
    before = now;
  }
}
