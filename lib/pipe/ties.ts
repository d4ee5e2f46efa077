import type { Link } from "./link.ts";
import {
  type HandlerSubscription,
  type QueueSubscription,
  SubscriptionIndex,
} from "./subscription.ts";

/** What ties a pipe to others and to readers of their own. Most pipes have none of it. */
export class Ties {
  readonly subs = new SubscriptionIndex<QueueSubscription>();
  readonly handlerSubs = new SubscriptionIndex<HandlerSubscription>();
  /** Links from here. */
  readonly links = new Set<Link>();
  /** Links to here. */
  readonly incoming = new Set<Link>();
  /** Links from here whose target takes nothing any more, but has not ended yet. */
  readonly failedLinks = new Set<Link>();

  /** How many there are who get messages: queues and links. */
  get takers(): number {
    return this.subs.size + this.links.size;
  }
}
