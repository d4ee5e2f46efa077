import type { NetAddr } from "../pipe/types.ts";
import type { StunAddress } from "../stun/attribute.ts";
import type { StunChange, StunErrorCode } from "../stun/attribute_parts.ts";
import { ATTRIBUTES } from "../stun/attributes.ts";
import { StunMessage } from "../stun/message.ts";
import type { StunGuard } from "./stun_guard.ts";

/** One of a server's sockets. */
export interface Place {
  /** The address it has. */
  readonly addr: NetAddr;
  /** The socket from which a change is answered; undefined where there is none. */
  changed(change: StunChange): Place | undefined;
}

/** What a server answers, besides the truth. */
export interface ReplyRules {
  readonly guard: StunGuard | undefined;
  readonly mapped: ((from: NetAddr) => StunAddress) | undefined;
  readonly error: StunErrorCode | undefined;
  readonly alternate: StunAddress & { readonly domain?: string | undefined } | undefined;
}

/** An answer, and how it goes. */
export interface Reply {
  readonly message: StunMessage;
  readonly from: Place;
  readonly to: NetAddr;
}

const BINDING = 1;
const BOTH: StunChange = { ip: true, port: true };

/**
 * Answers a Binding request as a server does (RFC 8489, section 6.3.1; RFC 5780, section 6.1; RFC 3489,
 * section 8.1, to a request without a magic cookie). Pure.
 */
export function replyTo(
  request: StunMessage,
  sender: NetAddr,
  place: Place,
  rules: ReplyRules,
): Reply | undefined {
  if (request.class !== "request") return undefined;
  const { method, transactionId } = request;
  const answer = (kind: "success" | "error") =>
    new StunMessage({ class: kind, method, transactionId });
  const sealed = (message: StunMessage) =>
    request.get(ATTRIBUTES.fingerprint) === undefined ? message : message.withFingerprint();
  const refuse = (code: number, reason: string, more = (message: StunMessage) => message) => {
    const message = more(answer("error").with(ATTRIBUTES.errorCode, { code, reason }));
    return { message: sealed(message), from: place, to: sender };
  };
  if (method !== BINDING) return refuse(400, "Bad Request");
  const judgment = rules.guard?.judge(request);
  if (judgment?.kind === "refused") {
    const { code } = judgment;
    const reason = { 400: "Bad Request", 401: "Unauthenticated", 438: "Stale Nonce" }[code];
    return refuse(
      code,
      reason,
      (error) => code === 400 ? error : rules.guard?.challenge(error) ?? error,
    );
  }
  const sign = (message: StunMessage) => rules.guard?.sign(message) ?? message;
  const unknown = request.unknownRequired();
  const change = request.get(ATTRIBUTES.changeRequest) ?? { ip: false, port: false };
  const from = change.ip || change.port ? place.changed(change) : place;
  if (from === undefined) unknown.push(ATTRIBUTES.changeRequest.type);
  if (unknown.length > 0 || from === undefined) {
    return refuse(
      420,
      "Unknown Attribute",
      (error) => sign(error.with(ATTRIBUTES.unknownAttributes, unknown)),
    );
  }
  const { alternate } = rules;
  if (alternate !== undefined) {
    return refuse(300, "Try Alternate", (error) => {
      const { domain } = alternate;
      const said = error.with(ATTRIBUTES.alternateServer, alternate);
      return sign(domain === undefined ? said : said.with(ATTRIBUTES.alternateDomain, domain));
    });
  }
  if (rules.error !== undefined) return refuse(rules.error.code, rules.error.reason, sign);
  const port = request.get(ATTRIBUTES.responsePort), padding = request.get(ATTRIBUTES.padding);
  if (port !== undefined && padding !== undefined) return refuse(400, "Bad Request", sign);
  const mapped = rules.mapped?.(sender) ?? sender;
  const other = place.changed(BOTH)?.addr;
  const classic = transactionId.length === 16;
  let message = answer("success").with(ATTRIBUTES.mappedAddress, mapped);
  if (classic) {
    message = message.with(ATTRIBUTES.sourceAddress, from.addr)
      .with(ATTRIBUTES.changedAddress, other ?? place.addr);
  } else {
    message = message.with(ATTRIBUTES.xorMappedAddress, mapped)
      .with(ATTRIBUTES.responseOrigin, from.addr)
      .with(ATTRIBUTES.software, "@p2pd/pipes testing");
    if (other !== undefined) message = message.with(ATTRIBUTES.otherAddress, other);
    if (padding !== undefined) message = message.with(ATTRIBUTES.padding, padding);
  }
  const to = port === undefined ? sender : { ...sender, port };
  return { message: sealed(sign(message)), from, to };
}
