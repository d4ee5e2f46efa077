/**
 * What can be found out about the NATs and firewalls in the way, in the words of RFC 4787.
 *
 * @module
 */
import type { NetAddr } from "../../pipe/types.ts";

/** What a NAT's treatment of a packet hangs on besides our own socket (RFC 4787, sections 4.1 and 5). */
export type NatDependence =
  | "endpoint-independent" // nothing
  | "address-dependent" // the other side's address
  | "address-and-port-dependent"; // the other side's address and port

/** How a NAT chooses the external address and port of a socket; "none" where there is no NAT. */
export type NatMapping = "none" | NatDependence | "unknown";

/** Whose packets come in to a socket that has sent to one place: everybody's, that address's, that port's. */
export type NatFiltering = NatDependence | "unknown";

/** How the external ports of new mappings follow each other. */
export interface PortStep {
  /**
   * "preserved": each is as far from the local port as the others are (`delta`, mostly 0);
   * "sequential": each is `delta` after the one before; "random": neither. Where each destination has
   * its own mapping, it is about the mappings of one socket to several destinations; else about those
   * of several sockets.
   */
  readonly kind: "preserved" | "sequential" | "random" | "unknown";
  /** External minus local port, or port minus the port before; undefined where there is no rule. */
  readonly delta: number | undefined;
}

/** How long a mapping lives that nothing goes through. */
export interface BindingLifetime {
  /** Milliseconds after which it was still there. */
  readonly atLeast: number;
  /** Milliseconds after which it had gone; undefined if it was there to the end of the search. */
  readonly atMost: number | undefined;
}

/** The findings that have a confidence, and a reason where they are unknown. */
export type BehaviourAspect = "mapping" | "filtering" | "hairpin" | "step" | "lifetime";

/** What one socket saw: the mapping that a server told it. */
export interface MappingObservation {
  /** Number of the socket; mappings are in the order in which they were made. */
  readonly socket: number;
  /** Its local port. */
  readonly localPort: number;
  /** Who was asked. */
  readonly server: NetAddr;
  /** The external address and port. */
  readonly mapped: NetAddr;
}

/** What {@linkcode getBehaviour} found out. */
export interface NatBehaviour {
  /** Whether, and how, addresses and ports are translated. */
  readonly mapping: NatMapping;
  /** Whose packets come in. */
  readonly filtering: NatFiltering;
  /**
   * Whether two sockets behind the NAT reach each other by their external addresses when both send;
   * undefined where it is not known.
   */
  readonly hairpin: boolean | undefined;
  /** Whether a socket's external port is its local port; undefined where it is not known. */
  readonly portPreservation: boolean | undefined;
  /** What the next external port will be. */
  readonly step: PortStep;
  /** How long a mapping lives; undefined unless it was asked for and could be found out. */
  readonly lifetime: BindingLifetime | undefined;
  /**
   * For each finding the chance, 0 to 1, that one more look would show the same: by the rule of
   * succession (those that agree + 1) / (all + 2), where observations are sockets for the mapping,
   * answers for what came in, answered control requests for what did not, and pairs of mappings for
   * the step; times the chance that silence was not mere loss. It is 0 for what is unknown.
   */
  readonly confidence: Readonly<Record<BehaviourAspect, number>>;
  /** Why a finding is unknown, or less than it could be. */
  readonly reasons: Readonly<Partial<Record<BehaviourAspect, string>>>;
  /** The external address and port of the first socket; undefined where nobody answered. */
  readonly mapped: NetAddr | undefined;
  /** The local address of that socket. */
  readonly local: NetAddr | undefined;
  /** The server that the tests were made with; undefined where nobody answered. */
  readonly server: NetAddr | undefined;
  /** All mappings that were seen. */
  readonly observations: readonly MappingObservation[];
}

/** The name that RFC 3489 would give it; see {@linkcode classicName}. */
export type ClassicNatName =
  | "open Internet"
  | "symmetric UDP firewall"
  | "full cone NAT"
  | "restricted cone NAT"
  | "port restricted cone NAT"
  | "symmetric NAT"
  | "blocked"
  | "unknown";
