/**
 * What a connection has to send: bytes that wait, and segments that were sent and are not acknowledged.
 *
 * Linux v6.1 keeps the first in sk_write_queue and the second in tcp_rtx_queue. Here waiting bytes are cut into segments only when they leave,
 * so that a path MTU learnt meanwhile needs no second cut.
 */

import { assert, broken } from "../../base/assert.ts";
import { concatBytes, EMPTY_BYTES } from "../../base/bytes.ts";
import { TCP_FIN } from "../../wire/packet.ts";
import { seqAdd, seqAfter, seqBefore } from "./sequence.ts";

/** One segment in flight (an skb of the retransmission queue). SYN and FIN take a sequence number each. */
export class SentSegment {
  seq: number;
  endSeq: number;
  payload: Uint8Array;
  flags: number;
  /** When it was last sent. */
  sentAtNs: number;
  isSacked = false;
  isLost = false;
  /** A retransmission of it is in the network. */
  isRetransmitted = false;
  wasEverRetransmitted = false;
  /** Cut from a buffer of several segments, which takes nothing in. */
  isPiece = false;
  /** Packets of it that wait for a neighbour in this host. */
  waitingCount = 0;

  constructor(seq: number, endSeq: number, payload: Uint8Array, flags: number, sentAtNs: number) {
    this.seq = seq;
    this.endSeq = endSeq;
    this.payload = payload;
    this.flags = flags;
    this.sentAtNs = sentAtNs;
  }
}

export class SendQueue {
  unsentBytes = 0;
  sackedCount = 0;
  lostCount = 0;
  retransmittedCount = 0;
  #chunks: Uint8Array[] = [];
  #chunkHead = 0;
  #offset = 0;
  #sent: SentSegment[] = [];
  #sentHead = 0;

  get inFlightCount(): number {
    return this.#sent.length - this.#sentHead;
  }

  /** Segments that are thought to be in the network (tcp_packets_in_flight). */
  get networkCount(): number {
    return this.inFlightCount - this.sackedCount - this.lostCount + this.retransmittedCount;
  }

  get head(): SentSegment | undefined {
    return this.#sent[this.#sentHead];
  }

  get tail(): SentSegment | undefined {
    return this.inFlightCount === 0 ? undefined : this.#sent[this.#sent.length - 1];
  }

  /** The n-th segment in flight, oldest first. */
  segment(n: number): SentSegment | undefined {
    return this.#sent[this.#sentHead + n];
  }

  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.unsentBytes += bytes.length;
  }

  /** Takes the next `count` waiting bytes, without a copy when they lie in one chunk. */
  take(count: number): Uint8Array {
    if (count > this.unsentBytes) broken(`only ${this.unsentBytes} bytes wait, ${count} were asked for`);
    if (count === 0) return EMPTY_BYTES;
    this.unsentBytes -= count;
    const first = this.#chunks[this.#chunkHead] as Uint8Array;
    if (first.length - this.#offset >= count) {
      const part = this.#offset === 0 && count === first.length ? first : first.subarray(this.#offset, this.#offset + count);
      this.#skip(count);
      return part;
    }
    const out = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const chunk = this.#chunks[this.#chunkHead] as Uint8Array;
      const size = Math.min(chunk.length - this.#offset, count - filled);
      out.set(chunk.subarray(this.#offset, this.#offset + size), filled);
      filled += size;
      this.#skip(size);
    }
    return out;
  }

  sent(segment: SentSegment): void {
    this.#sent.push(segment);
  }

  /** Cuts a segment in flight at `bytes` (tcp_fragment). */
  split(segment: SentSegment, bytes: number): void {
    const index = this.#sent.indexOf(segment, this.#sentHead);
    assert(index >= 0 && bytes > 0 && bytes < segment.payload.length, `cannot cut ${segment.payload.length} bytes at ${bytes}`);
    const middle = seqAdd(segment.seq, bytes);
    const rest = new SentSegment(middle, segment.endSeq, segment.payload.subarray(bytes), segment.flags, segment.sentAtNs);
    rest.isLost = segment.isLost;
    rest.wasEverRetransmitted = segment.wasEverRetransmitted;
    rest.isSacked = segment.isSacked;
    rest.isPiece = segment.isPiece;
    if (rest.isLost) this.lostCount++;
    if (rest.isSacked) this.sackedCount++;
    segment.endSeq = middle;
    segment.payload = segment.payload.subarray(0, bytes);
    segment.flags &= ~TCP_FIN;
    this.#sent.splice(index + 1, 0, rest);
  }

  /** Makes one of up to `count` lost neighbours from the n-th on, as they left in one piece before segmentation offload cut them. */
  joinLost(n: number, count: number): void {
    const first = this.#sent[this.#sentHead + n];
    const parts: Uint8Array[] = [];
    for (let i = 1; i < count && first !== undefined; i++) {
      const next = this.#sent[this.#sentHead + n + i];
      if (next === undefined || !next.isLost || next.isRetransmitted || next.sentAtNs !== first.sentAtNs) break;
      parts.push(next.payload);
    }
    if (first === undefined || parts.length === 0) return;
    const last = this.#sent[this.#sentHead + n + parts.length] as SentSegment;
    first.payload = concatBytes([first.payload, ...parts]);
    first.endSeq = last.endSeq;
    first.flags |= last.flags;
    first.isPiece = true;
    this.lostCount -= parts.length;
    this.#sent.splice(this.#sentHead + n + 1, parts.length);
  }

  /** Adds the next segment in flight to this one when both fit into `limit` bytes; false when they do not (tcp_retrans_try_collapse). */
  absorbNext(segment: SentSegment, limit: number): boolean {
    const index = this.#sent.indexOf(segment, this.#sentHead);
    const next = this.#sent[index + 1];
    if (index < 0 || next === undefined || next.isSacked || segment.payload.length + next.payload.length > limit) return false;
    this.#forget(next);
    if (next.payload.length > 0) segment.payload = concatBytes([segment.payload, next.payload]);
    segment.endSeq = next.endSeq;
    segment.flags |= next.flags;
    segment.wasEverRetransmitted ||= next.wasEverRetransmitted;
    this.#sent.splice(index + 1, 1);
    return true;
  }

  /** Removes and returns the head when `ack` covers it; trims it when `ack` covers a part. */
  acknowledge(ack: number): SentSegment | undefined {
    const head = this.head;
    if (head === undefined || !seqAfter(ack, head.seq)) return undefined;
    if (seqBefore(ack, head.endSeq)) {
      const covered = (ack - head.seq) | 0;
      if (covered > 0 && covered < head.payload.length) {
        head.payload = head.payload.subarray(covered);
        head.seq = ack;
      }
      return undefined;
    }
    this.#forget(head);
    if (this.#sentHead === 0 && this.#sent.length === 1) {
      this.#sent.pop();
      return head;
    }
    this.#sentHead++;
    if (this.#sentHead === this.#sent.length) {
      this.#sent.length = 0;
      this.#sentHead = 0;
    } else if (this.#sentHead > 256) {
      this.#sent.splice(0, this.#sentHead);
      this.#sentHead = 0;
    }
    return head;
  }

  markSacked(segment: SentSegment): void {
    if (segment.isSacked) return;
    this.#forget(segment);
    segment.isSacked = true;
    this.sackedCount++;
  }

  /** It is not in the network any more; nor is a retransmission of it. True when one was lost after the segment itself. */
  markLost(segment: SentSegment): boolean {
    if (segment.isSacked) return false;
    const wasRetransmitted = segment.isRetransmitted;
    if (wasRetransmitted) {
      segment.isRetransmitted = false;
      this.retransmittedCount--;
    }
    if (segment.isLost) return wasRetransmitted;
    segment.isLost = true;
    this.lostCount++;
    return false;
  }

  markRetransmitted(segment: SentSegment): void {
    segment.wasEverRetransmitted = true;
    if (segment.isRetransmitted || segment.isSacked) return;
    segment.isRetransmitted = true;
    this.retransmittedCount++;
  }

  clear(): void {
    this.#chunks = [];
    this.#chunkHead = 0;
    this.#offset = 0;
    this.unsentBytes = 0;
    this.#sent = [];
    this.#sentHead = 0;
    this.sackedCount = 0;
    this.lostCount = 0;
    this.retransmittedCount = 0;
  }

  #forget(segment: SentSegment): void {
    if (segment.isSacked) this.sackedCount--;
    if (segment.isLost) this.lostCount--;
    if (segment.isRetransmitted) this.retransmittedCount--;
    segment.isSacked = false;
    segment.isLost = false;
    segment.isRetransmitted = false;
  }

  #skip(count: number): void {
    this.#offset += count;
    const chunk = this.#chunks[this.#chunkHead] as Uint8Array;
    if (this.#offset < chunk.length) return;
    this.#offset = 0;
    if (this.#chunkHead === 0 && this.#chunks.length === 1) {
      this.#chunks.pop();
      return;
    }
    this.#chunkHead++;
    if (this.#chunkHead === this.#chunks.length) {
      this.#chunks.length = 0;
      this.#chunkHead = 0;
    } else if (this.#chunkHead > 256) {
      this.#chunks.splice(0, this.#chunkHead);
      this.#chunkHead = 0;
    }
  }
}
