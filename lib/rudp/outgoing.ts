import type { NetAddr } from "../pipe/types.ts";
import type { TransportError } from "../transport/error.ts";
import { dataPacket } from "./packet.ts";

/** What fits into an Ethernet frame over IPv4. */
const UNIT = 1472;

/** A message on its way to a peer. */
export class Outgoing {
  /** Where to. */
  readonly to: NetAddr;
  /** Called once: with an error, or without when the peer has acknowledged it. */
  readonly settle: (error?: TransportError) => void;
  /** What it counts in the window. */
  readonly units: number;
  /** Whether it is under way, to be sent again, or neither. */
  state: "waiting" | "under way" | "lost" | "settled" = "waiting";
  /** How often it was sent. */
  tries = 0;
  /** How many messages the peer was sent before this one. */
  index = 0;
  /** How many messages the peer had acknowledged when this one was first sent. */
  heard = 0;
  /** When it was sent, first and last, and which transmission to the peer that was. */
  firstAt = 0;
  lastAt = 0;
  firstOrder = 0;
  lastOrder = 0;
  /** What went wrong when it was last sent again. */
  error: TransportError | undefined;
  #data: Uint8Array | undefined;
  #packet: Uint8Array<ArrayBuffer> | undefined;

  constructor(data: Uint8Array, to: NetAddr, settle: (error?: TransportError) => void) {
    this.#data = data;
    this.to = to;
    this.settle = settle;
    this.units = Math.max(1, Math.ceil(data.length / UNIT));
  }

  /** The packet to send; made with the first transmission, since nobody knows how many are waiting. */
  packet(number: bigint): Uint8Array<ArrayBuffer> {
    if (this.#packet === undefined) {
      this.#packet = dataPacket(number, this.#data ?? new Uint8Array());
      this.#data = undefined; // it is in the packet
    }
    return this.#packet;
  }
}
