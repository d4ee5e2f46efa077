import type { Used } from "../pipe/use_list.ts";
import type { SeenNumbers } from "./seen.ts";
import type { Sender } from "./sender.ts";

/** A peer, as far as anything is known of it. */
export class Peer implements Used<Peer> {
  /** What it is found by. */
  readonly key: string;
  /** What is sent to it, if anything ever was. */
  sender: Sender | undefined;
  /** What was taken from it. */
  seen: SeenNumbers | undefined;
  /**
   * Whether it was heard only, was sent to without acknowledging anything so far, or has acknowledged
   * something: nobody who makes up senders can bring about the last.
   */
  standing: "heard" | "tried" | "proven" = "heard";
  /** What waits for its first acknowledgement, in bytes; the table's own. */
  owed = 0;
  /** The neighbours; the list's own. */
  prev: Peer | undefined;
  next: Peer | undefined;

  constructor(key: string) {
    this.key = key;
  }

  /** Whether something is on its way to it. */
  get busy(): boolean {
    return this.sender !== undefined && this.sender.pending > 0;
  }
}
