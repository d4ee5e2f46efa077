/** Microtasks until one who awaits a message has answered it, with a function or two in between. */
const PATIENCE = 6;

/** Messages that are not waited for after one that was not answered so soon. */
const PAUSE = 16;

/**
 * Lets whoever got a datagram answer it before the next one is received, where datagrams are answered: a
 * receive that waits already makes the send dearer, by up to a third of an echo.
 */
export class Turns {
  #sends = 0;
  /** How many there were when the message before came. */
  #before = 0;
  #pause = 0;

  /** Something is being sent. */
  noteSend(): void {
    this.#sends++;
  }

  /**
   * A message has come, and is to be handed over.
   *
   * @returns How many times to yield afterwards while it is not {@linkcode Turns.answered}.
   */
  begin(): number {
    const isTalk = this.#sends !== this.#before;
    this.#before = this.#sends;
    if (this.#pause > 0) this.#pause--;
    return isTalk && this.#pause === 0 ? PATIENCE : 0;
  }

  /** Whether the message that came last has been answered. */
  get answered(): boolean {
    return this.#sends !== this.#before;
  }

  /** The wait was in vain. */
  noteSilence(): void {
    this.#pause = PAUSE;
  }
}
