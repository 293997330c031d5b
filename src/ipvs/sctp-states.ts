/**
 * The director's view of an SCTP association. Events are the first chunk's type, see sctpEvent.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_proto_sctp.c (sctp_states, sctp_timeouts, sctp_events, set_sctp_state).
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { StateDirection } from "./tcp-states.ts";

export const SCTP_STATE_NAMES = ["NONE", "INIT1", "INIT", "C-SENT", "C-REPLIED", "C-WAIT", "COOKIE", "C-ECHOED", "ESTABLISHED", "S-SENT", "S-RECEIVED", "S-ACK-SENT", "REJECTED", "CLOSED"] as const;
export const SCTP_S_ESTABLISHED = 8;
export const SCTP_S_SHUTDOWN_SENT = 9;
export const SCTP_S_SHUTDOWN_RECEIVED = 10;
export const SCTP_S_SHUTDOWN_ACK_SENT = 11;
export const SCTP_S_CLOSED = 13;

export const SCTP_TIMEOUTS_NS: readonly number[] = [2, 4, 61, 61, 61, 61, 61, 61, 900, 61, 61, 61, 4, 61].map((seconds) => seconds * NS_PER_SECOND);

const DATA = 0;
const INIT = 1;
const COOKIE_ECHO = 3;
const COOKIE_ACK = 4;
const ERROR = 8;
const ABORT = 9;

/** Events by chunk type 0 to 14. */
const EVENT_OF_CHUNK: readonly number[] = [DATA, INIT, 2, DATA, DATA, DATA, ABORT, 5, 6, ERROR, COOKIE_ECHO, COOKIE_ACK, DATA, DATA, 7];
const CHUNK_COOKIE_ECHO = 10;
const CHUNK_COOKIE_ACK = 11;
const CHUNK_ABORT = 6;
const SCTP_HEADER_BYTES = 12;

const CODES: Readonly<Record<string, number>> = { NO: 0, I1: 1, IN: 2, CS: 3, CR: 4, CW: 5, CO: 6, CE: 7, ES: 8, SS: 9, SR: 10, SA: 11, RJ: 12, CL: 13 };

/** Rows d i ia ce ca s sa sc er ab of each direction; columns in state order. */
const TABLE = [
  "ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL", "I1 IN IN CS CR CW CO CE ES SS SR SA IN IN", "CW CW CW CS CR CO CO CE ES SS SR SA RJ CL", "CR IN IN CR CR CW CO CE ES SS SR SA RJ CL",
  "ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL", "SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL", "CL IN IN CS CR CW CO CE ES CL SR CL RJ CL", "CL CL CL CS CR CW CO CE ES SS SR CL RJ CL",
  "CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL", "CL CL CL CL CL RJ CL CL CL CL CL CL CL CL",
  "ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL", "CW CW CW CW CW CW CW CW ES CW CW CW CW CW", "CS CS CS CS CR CW CO CE ES SS SR SA RJ CL", "CE CE CE CE CE CE CE CE ES SS SR SA RJ CL",
  "ES ES ES ES ES ES ES ES ES SS SR SA RJ CL", "SS SS SS SS SS SS SS SS SS SS SR SA RJ CL", "SA SA SA SA SA CW CO CE ES SA SA SA RJ CL", "CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL",
  "CL CL CL CL CL CW CO CE ES SS SR SA RJ CL", "CL RJ CL CL CL CL CL CL CL CL CL CL CL CL",
  "ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL", "I1 IN IN IN IN IN CO CE ES SS SR SA IN IN", "CE CE CE CE CE CE CO CE ES SS SR SA RJ CL", "ES ES ES ES ES ES CO CE ES SS SR SA RJ CL",
  "ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL", "SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL", "CL IN IN CS CR CW CO CE CL CL SR CL RJ CL", "CL CL CL CL CL CW CO CE ES SS CL CL RJ CL",
  "CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL", "CL CL CL CL CL RJ CL CL CL CL CL CL CL CL",
].map((row) => Uint8Array.from(row.split(" ").map((code) => CODES[code] as number)));
const EVENTS = 10;

export function nextSctpState(direction: StateDirection, state: number, event: number): number {
  return (TABLE[direction * EVENTS + event] as Uint8Array)[state] as number;
}

/** Reads the event from an SCTP packet; undefined when it has no chunk. ABORT behind a cookie counts as ABORT. */
export function sctpEvent(bytes: Uint8Array): number | undefined {
  const type = bytes[SCTP_HEADER_BYTES];
  if (type === undefined) return undefined;
  if (type === CHUNK_COOKIE_ECHO || type === CHUNK_COOKIE_ACK) {
    const length = ((bytes[SCTP_HEADER_BYTES + 2] ?? 0) << 8) | (bytes[SCTP_HEADER_BYTES + 3] ?? 0);
    if (length >= 4 && bytes[SCTP_HEADER_BYTES + ((length + 3) & ~3)] === CHUNK_ABORT) return ABORT;
  }
  return EVENT_OF_CHUNK[type] ?? DATA;
}

/** The packet opens an association. */
export function isSctpInit(bytes: Uint8Array): boolean {
  return bytes[SCTP_HEADER_BYTES] === 1;
}

export function isSctpAbort(bytes: Uint8Array): boolean {
  return bytes[SCTP_HEADER_BYTES] === CHUNK_ABORT;
}
