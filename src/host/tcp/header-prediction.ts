/**
 * Which segments of an established connection the kernel takes by its fast path: it tells by counters, and nothing else follows from it.
 *
 * Linux v6.1 net/ipv4/tcp_input.c (tcp_rcv_established), include/net/tcp.h (tcp_fast_path_check), include/net/sock.h (sk_mem_charge,
 * sk_mem_uncharge).
 */

import { TCP_ACK, TCP_PSH, type TcpSegment } from "../../wire/packet.ts";
import type { TcpConnection } from "./tcp-socket.ts";

const TIMESTAMP_OPTION_BYTES = 12;
const PAGE_BYTES = 4096;
/** What an skb of TCP occupies beside its data. */
const SKB_OVERHEAD_BYTES = 1280;
/** One of a full segment is laid out anew when a burst is cut. */
const SKB_BYTES_MAX = 2304;

/** The next segment is expected to be in order, with the window that is known (tcp_fast_path_on). */
export function predict(conn: TcpConnection): void {
  conn.predictedWindow = conn.sndWnd >>> conn.sndWscale;
}

/** net/ipv4/tcp.h:tcp_fast_path_check. */
export function predictAgain(conn: TcpConnection): void {
  if (!conn.receiveQueue.hasGap && conn.rcvWnd > 0 && conn.receiveQueue.chargedBytes < conn.receiveBufferBytes) predict(conn);
}

/** True when the fast path takes the segment: then it is in order, acknowledges nothing unsent, and its data finds memory. */
export function isPredicted(conn: TcpConnection, segment: TcpSegment): boolean {
  if (segment.window !== conn.predictedWindow || segment.seq !== conn.rcvNxt || conn.state !== "ESTABLISHED") return false;
  if ((segment.flags & ~TCP_PSH) !== TCP_ACK || ((conn.sndNxt - segment.ack) | 0) < 0) return false;
  if (segment.optionBytes !== (conn.hasTimestamps ? TIMESTAMP_OPTION_BYTES : 0)) return false;
  const { timestamps } = segment.options;
  if (conn.hasTimestamps && (timestamps === undefined || ((timestamps.value - conn.tsRecent) | 0) < 0)) return false;
  const length = segment.payload.length;
  return length === 0 || skbBytes(length) <= conn.spareBytes;
}

function skbBytes(length: number): number {
  return Math.min(SKB_OVERHEAD_BYTES + length, SKB_BYTES_MAX);
}

/** Memory for a segment with so much data: whole pages are taken when what is spare does not do. */
export function charge(conn: TcpConnection, length: number): void {
  const missing = skbBytes(length) - conn.spareBytes;
  conn.spareBytes = missing <= 0 ? -missing : (PAGE_BYTES - (missing % PAGE_BYTES)) % PAGE_BYTES;
}

/** Memory for a segment that was received: it is held until it is read. */
export function chargeReceived(conn: TcpConnection, length: number): void {
  charge(conn, length);
  conn.heldBytes += skbBytes(length);
}

/** Memory comes back when a segment was acknowledged; whole pages are given up at once. */
export function uncharge(conn: TcpConnection, length: number): void {
  conn.spareBytes = (conn.spareBytes + skbBytes(length)) % PAGE_BYTES;
}

/** Everything that was received has been read. */
export function unchargeRead(conn: TcpConnection): void {
  conn.spareBytes = (conn.spareBytes + conn.heldBytes) % PAGE_BYTES;
  conn.heldBytes = 0;
}
