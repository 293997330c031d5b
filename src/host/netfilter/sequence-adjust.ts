/**
 * Sequence numbers of a TCP connection whose text was changed on the way: what follows a longer text is moved, acknowledgments are moved back.
 *
 * Linux v6.1 net/netfilter/nf_conntrack_seqadj.c (nf_ct_seqadj_set, nf_ct_seq_adjust, nf_ct_seq_offset).
 */

import type { TcpSegment } from "../../wire/packet.ts";
import { TCP_ACK } from "../../wire/packet.ts";

/** One direction: struct nf_ct_seqadj. */
interface Way {
  /** Sequence number of the segment that was changed last. */
  correctionAt: number;
  offsetBefore: number;
  offsetAfter: number;
}

export class SequenceAdjust {
  readonly #ways: readonly [Way, Way] = [
    { correctionAt: 0, offsetBefore: 0, offsetAfter: 0 },
    { correctionAt: 0, offsetBefore: 0, offsetAfter: 0 },
  ];

  /** The text of the segment with `seq` has grown by `bytes` (less than 0: shrunk). `direction`: 0 original, 1 reply. */
  changed(direction: 0 | 1, seq: number, bytes: number): void {
    const way = this.#ways[direction];
    if (way.offsetBefore !== way.offsetAfter && !isAfter(seq, way.correctionAt)) return;
    way.correctionAt = seq;
    way.offsetBefore = way.offsetAfter;
    way.offsetAfter += bytes;
  }

  /** By how much what `direction` sends at `seq` is moved. */
  offsetAt(direction: 0 | 1, seq: number): number {
    const way = this.#ways[direction];
    return isAfter(seq, way.correctionAt) ? way.offsetAfter : way.offsetBefore;
  }

  /** True when `segment` would leave with other numbers than it came with. */
  concerns(direction: 0 | 1, segment: TcpSegment): boolean {
    return this.offsetAt(direction, segment.seq) !== 0 || this.#ackOffset(direction, segment.ack) !== 0;
  }

  /** Moves the numbers of a writable segment. */
  apply(direction: 0 | 1, segment: TcpSegment): void {
    segment.seq = (segment.seq + this.offsetAt(direction, segment.seq)) >>> 0;
    if ((segment.flags & TCP_ACK) === 0) return;
    segment.ack = (segment.ack - this.#ackOffset(direction, segment.ack)) >>> 0;
    const { sack } = segment.options;
    if (sack === undefined) return;
    const moved = (number: number): number => (number - this.#ackOffset(direction, number)) >>> 0;
    segment.options = { ...segment.options, sack: sack.map(([left, right]) => [moved(left), moved(right)] as const) };
  }

  #ackOffset(direction: 0 | 1, ack: number): number {
    const way = this.#ways[direction === 0 ? 1 : 0];
    return isAfter(ack - way.offsetBefore, way.correctionAt) ? way.offsetAfter : way.offsetBefore;
  }
}

/** include/net/tcp.h:after. */
function isAfter(a: number, b: number): boolean {
  return ((b - a) | 0) < 0;
}
