import { formatIp, isBroadcast, isMulticast, isUnspecified, parseIp, unmapIp } from "../net/ip.ts";
import { formatAddr } from "../net/address.ts";
import type { NetAddr } from "../pipe/types.ts";
import type { AttributeType, StunAddress } from "./attribute.ts";
import { ATTRIBUTES } from "./attributes.ts";
import { StunError } from "./error.ts";
import type { StunAnswer } from "./session.ts";

/** Under which address a server sees us. */
export interface Mapping {
  /** Our address and port as the server sees them. */
  readonly mapped: NetAddr;
  /** The local address of the socket; 0.0.0.0 or :: where the system chose one for each packet. */
  readonly local: NetAddr;
  /** The server that was asked. */
  readonly server: NetAddr;
  /** Where the server says it answered from (RFC 5780, section 7.3), if it says so. */
  readonly responseOrigin: NetAddr | undefined;
  /** The server's other address and port (RFC 5780, section 7.4), if it has one. */
  readonly otherAddress: NetAddr | undefined;
  /** Name and version of the server, if it tells. */
  readonly software: string | undefined;
  /** Milliseconds from request to answer; undefined where the request was sent several times. */
  readonly rtt: number | undefined;
}

/** Reads a success answer to a Binding request. */
export function toMapping(answer: StunAnswer, local: NetAddr, server: NetAddr): Mapping {
  const { message, rtt } = answer;
  const transport: NetAddr["transport"] = local.transport;
  /** The first of them that is there: servers of RFC 3489 say the same in other attributes. */
  const first = (...types: readonly AttributeType<StunAddress>[]): NetAddr | undefined => {
    const found = types.map((type) => message.get(type)).find((address) => address !== undefined);
    const ip = found && parseIp(found.hostname);
    return found && ip && { transport, hostname: formatIp(unmapIp(ip)), port: found.port };
  };
  const { xorMappedAddress, xorMappedAddressOld, mappedAddress } = ATTRIBUTES;
  const mapped = first(xorMappedAddress, xorMappedAddressOld, mappedAddress);
  const ip = mapped && parseIp(mapped.hostname);
  if (mapped === undefined || ip === undefined) throw unusable("has no mapped address", server);
  if (mapped.port === 0 || isUnspecified(ip) || isMulticast(ip) || isBroadcast(ip)) {
    throw unusable(`says ${formatAddr(mapped)}, which is nobody's`, server);
  }
  // The other way round it may be right: NAT64 (RFC 6146) gives IPv6 hosts IPv4 addresses outside.
  if (ip.family === "IPv6" && parseIp(server.hostname)?.family === "IPv4") {
    throw unusable(`says ${formatAddr(mapped)}, and was asked over IPv4`, server);
  }
  return {
    mapped,
    local,
    server,
    responseOrigin: first(ATTRIBUTES.responseOrigin, ATTRIBUTES.sourceAddress),
    otherAddress: first(ATTRIBUTES.otherAddress, ATTRIBUTES.changedAddress),
    software: message.get(ATTRIBUTES.software),
    rtt,
  };
}

function unusable(why: string, addr: NetAddr): StunError {
  const message = `Cannot use an answer: that of ${formatAddr(addr)} ${why}`;
  return new StunError(message, { fault: "unusable", addr });
}
