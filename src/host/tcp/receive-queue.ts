/**
 * What a connection has received: bytes in order that nobody has read, and segments that arrived ahead of a gap.
 *
 * Linux v6.1 net/ipv4/tcp_input.c:tcp_data_queue, tcp_data_queue_ofo, tcp_ofo_queue, tcp_sack_new_ofo_skb.
 */

import { concatBytes, EMPTY_BYTES } from "../../base/bytes.ts";
import { seqAfter, seqBefore } from "./sequence.ts";

/** What an skb costs beside its bytes (its truesize): it makes windows shrink as fast as the kernel's. */
const SEGMENT_OVERHEAD_BYTES = 856;
const SACK_BLOCKS_MAX = 4;
const OUT_OF_ORDER_MAX = 4096;

interface EarlySegment {
  seq: number;
  endSeq: number;
  payload: Uint8Array;
  isFin: boolean;
}

export class ReceiveQueue {
  unreadBytes = 0;
  /** Memory charged to the socket (sk_rmem_alloc). */
  chargedBytes = 0;
  #chunks: Uint8Array[] = [];
  #early: EarlySegment[] = [];
  /** SACK blocks, the most recent first. */
  #blocks: (readonly [number, number])[] = [];

  get hasGap(): boolean {
    return this.#early.length > 0;
  }

  get blocks(): readonly (readonly [number, number])[] {
    return this.#blocks;
  }

  push(payload: Uint8Array): void {
    if (payload.length === 0) return;
    this.#chunks.push(payload);
    this.unreadBytes += payload.length;
    this.chargedBytes += payload.length + SEGMENT_OVERHEAD_BYTES;
  }

  /** Everything that can be read now. */
  read(): Uint8Array {
    const bytes = this.#chunks.length === 0 ? EMPTY_BYTES : concatBytes(this.#chunks);
    this.chargedBytes -= this.unreadBytes + this.#chunks.length * SEGMENT_OVERHEAD_BYTES;
    this.#chunks = [];
    this.unreadBytes = 0;
    return bytes;
  }

  /** Keeps a segment that lies ahead of a gap. False: all of it is there already. */
  pushEarly(seq: number, endSeq: number, payload: Uint8Array, isFin: boolean): boolean {
    if (this.#early.length >= OUT_OF_ORDER_MAX) return true;
    let index = this.#early.length;
    while (index > 0 && seqAfter((this.#early[index - 1] as EarlySegment).seq, seq)) index--;
    const before = this.#early[index - 1];
    if (before !== undefined && !seqBefore(before.endSeq, endSeq)) {
      this.#noteBlock(seq, endSeq);
      return false;
    }
    this.#early.splice(index, 0, { seq, endSeq, payload, isFin });
    this.chargedBytes += payload.length + SEGMENT_OVERHEAD_BYTES;
    this.#noteBlock(seq, endSeq);
    return true;
  }

  /** The gap before `rcvNxt` is filled: moves what follows into order. Returns the new edge and whether a FIN lies before it. */
  drainEarly(rcvNxt: number): { readonly rcvNxt: number; readonly isFin: boolean } {
    let edge = rcvNxt;
    let isFin = false;
    while (this.#early.length > 0) {
      const first = this.#early[0] as EarlySegment;
      if (seqAfter(first.seq, edge)) break;
      this.#early.shift();
      this.chargedBytes -= first.payload.length + SEGMENT_OVERHEAD_BYTES;
      if (!seqAfter(first.endSeq, edge)) continue;
      const skip = (edge - first.seq) | 0;
      this.push(skip === 0 ? first.payload : first.payload.subarray(Math.min(skip, first.payload.length)));
      edge = first.endSeq;
      if (first.isFin) isFin = true;
    }
    this.#blocks = this.#blocks.filter((block) => seqAfter(block[0], edge));
    return { rcvNxt: edge, isFin };
  }

  /** Tells the sender about a segment that came twice (DSACK, RFC 2883): first block of the next acknowledgment only. */
  blocksWithDuplicate(duplicate: readonly [number, number] | undefined, limit: number): readonly (readonly [number, number])[] {
    const blocks = duplicate === undefined ? this.#blocks : [duplicate, ...this.#blocks];
    return blocks.length > limit ? blocks.slice(0, limit) : blocks;
  }

  clearEarly(): void {
    for (const segment of this.#early) this.chargedBytes -= segment.payload.length + SEGMENT_OVERHEAD_BYTES;
    this.#early = [];
    this.#blocks = [];
  }

  #noteBlock(seq: number, endSeq: number): void {
    let left = seq;
    let right = endSeq;
    const others: (readonly [number, number])[] = [];
    for (const block of this.#blocks) {
      if (seqAfter(block[0], right) || seqBefore(block[1], left)) others.push(block);
      else {
        if (seqBefore(block[0], left)) left = block[0];
        if (seqAfter(block[1], right)) right = block[1];
      }
    }
    this.#blocks = [[left, right] as const, ...others].slice(0, SACK_BLOCKS_MAX);
  }
}
