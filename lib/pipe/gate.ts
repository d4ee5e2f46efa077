import type { NetConf } from "./conf.ts";
import type { Kind } from "./mailbox.ts";
import { MsgIds } from "./msg_ids.ts";
import { isSame } from "./peer.ts";
import { PeerRules } from "./peer_rules.ts";
import type { Tally } from "./tally.ts";
import type { NetAddr } from "./types.ts";

/** What a gate needs of its pipe. */
export interface Gated {
  readonly kind: Kind;
  readonly conf: Readonly<NetConf>;
  readonly tally: Tally;
  readonly remoteAddr: NetAddr | undefined;
  report(error: unknown): void;
}

/** Lets in what is from the right peer, and new; counts what is not. */
export class Gate {
  readonly #pipe: Gated;
  /** The only one who is heard, if that is so. */
  readonly #peer: NetAddr | undefined;
  /** Of a connection its server has decided. */
  readonly #rules: PeerRules | undefined;
  readonly #ids: MsgIds | undefined;

  /** For a pipe; undefined if everything is let in. */
  static for(pipe: Gated): Gate | undefined {
    const { kind, conf } = pipe;
    return kind === "stream" && conf.enableMsgIds === false ? undefined : new Gate(pipe);
  }

  private constructor(pipe: Gated) {
    const { conf, kind, remoteAddr } = pipe;
    this.#pipe = pipe;
    // A connection has no strangers.
    this.#peer = kind === "datagram" ? remoteAddr : undefined;
    if (kind === "datagram") this.#rules = new PeerRules(conf);
    if (conf.enableMsgIds === false) return;
    const idOf = conf.enableMsgIds === true ? undefined : conf.enableMsgIds;
    this.#ids = new MsgIds(conf.maxMsgIds, idOf);
  }

  /** The sender as it is to be shown, or undefined if the message is to be dropped. */
  enter(data: Uint8Array<ArrayBuffer>, sender: NetAddr): NetAddr | undefined {
    const { tally } = this.#pipe;
    if (this.#rules?.admits(sender) === false) {
      tally.refused();
      return undefined;
    }
    let from = sender;
    const known = this.#peer !== undefined && isSame(this.#peer, sender);
    if (known && this.#peer !== undefined) from = this.#peer; // with its zone
    else if (this.#isStranger(sender)) {
      tally.stranger();
      return undefined;
    }
    tally.received(data.length);
    if (this.#ids !== undefined && this.#isDuplicate(this.#ids, data, from)) return undefined;
    return from;
  }

  /** Whether a sender is heard, asked before its message is acknowledged. Counts one that is not. */
  admits(sender: NetAddr): boolean {
    const { tally } = this.#pipe;
    if (this.#rules?.admits(sender) === false) {
      tally.refused();
      return false;
    }
    if (this.#peer !== undefined && isSame(this.#peer, sender)) return true;
    if (!this.#isStranger(sender)) return true;
    tally.stranger();
    return false;
  }

  /** Nobody is at the other end of a connection but its peer, whatever that is called. */
  #isStranger(sender: NetAddr): boolean {
    const { kind, conf } = this.#pipe;
    if (kind === "stream") return false;
    return isNobody(sender) || (this.#peer !== undefined && !conf.anyPeer);
  }

  #isDuplicate(ids: MsgIds, data: Uint8Array<ArrayBuffer>, from: NetAddr): boolean {
    try {
      if (!ids.seen(data, from)) return false;
    } catch (error) {
      this.#pipe.report(error); // the caller's function; the message is as good as new
      return false;
    }
    this.#pipe.tally.duplicate();
    return true;
  }
}

/** Nobody can be answered at port 0, so nobody is there. A Unix socket has none. */
function isNobody({ port, path }: NetAddr): boolean {
  return port === 0 && path === undefined;
}
