import { IpRules, parseRanges } from "../net/ip_rules.ts";
import type { NetConf } from "./conf.ts";
import type { NetAddr } from "./types.ts";

/** `conf.allow` and `conf.deny`. */
export class PeerRules {
  readonly #rules: IpRules | undefined;

  constructor({ allow, deny }: Pick<NetConf, "allow" | "deny">) {
    if (allow === null && deny === null) return;
    this.#rules = new IpRules(
      allow && parseRanges(allow, "conf.allow"),
      deny && parseRanges(deny, "conf.deny"),
    );
  }

  /** Whether a peer gets in. What has no IP address, as on a Unix socket, does. */
  admits(addr: NetAddr | undefined): boolean {
    if (this.#rules === undefined || addr === undefined || addr.path !== undefined) return true;
    return this.#rules.admits(addr.hostname);
  }
}
