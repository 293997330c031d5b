/**
 * The director's view of a TCP connection: states, the table of transitions, timeouts.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_proto_tcp.c (tcp_states, tcp_states_dos, tcp_timeouts, set_tcp_state).
 */

import { NS_PER_SECOND } from "../base/time.ts";
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from "../wire/packet.ts";

export const TCP_S_NONE = 0;
export const TCP_S_ESTABLISHED = 1;
export const TCP_S_SYN_SENT = 2;
export const TCP_S_SYN_RECV = 3;
export const TCP_S_FIN_WAIT = 4;
export const TCP_S_TIME_WAIT = 5;
export const TCP_S_CLOSE = 6;
export const TCP_S_CLOSE_WAIT = 7;
export const TCP_S_LAST_ACK = 8;
export const TCP_S_LISTEN = 9;
export const TCP_S_SYNACK = 10;

/** By state number, as `ipvsadm -Lc` prints them. */
export const TCP_STATE_NAMES = ["NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "SYNACK"] as const;

export const TCP_TIMEOUTS_SECONDS: readonly number[] = [2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120];

/** Which packets drive the connection: from the client, from the server, or from the client when the server's cannot be seen. */
export const DIRECTION_INPUT = 0;
export const DIRECTION_OUTPUT = 1;
export const DIRECTION_INPUT_ONLY = 2;
export type StateDirection = 0 | 1 | 2;

const CODES: Readonly<Record<string, number>> = { NO: 0, ES: 1, SS: 2, SR: 3, FW: 4, TW: 5, CL: 6, CW: 7, LA: 8, LI: 9, SA: 10 };

/** Rows syn, fin, ack, rst of each direction; columns in state order. */
const NORMAL = [
  "SR ES ES SR SR SR SR SR SR SR SR", "CL CW SS TW TW TW CL CW LA LI TW", "ES ES SS ES FW TW CL CW CL LI ES", "CL CL CL SR CL CL CL CL LA LI SR",
  "SS ES SS SR SS SS SS SS SS LI SR", "TW FW SS TW FW TW CL TW LA LI TW", "ES ES SS ES FW TW CL CW LA ES ES", "CL CL SS CL CL TW CL CL CL CL CL",
  "SR ES ES SR SR SR SR SR SR SR SR", "CL FW SS TW FW TW CL CW LA LI TW", "ES ES SS ES FW TW CL CW CL LI ES", "CL CL CL SR CL CL CL CL LA LI CL",
].map(parseRow);

/** With the secure_tcp defence on. */
const SECURE = [
  "SR ES ES SR SR SR SR SR SR SR SA", "CL CW SS TW TW TW CL CW LA LI SA", "ES ES SS SR FW TW CL CW CL LI SA", "CL CL CL SR CL CL CL CL LA LI CL",
  "SS ES SS SA SS SS SS SS SS LI SA", "TW FW SS TW FW TW CL TW LA LI TW", "ES ES SS ES FW TW CL CW LA ES ES", "CL CL SS CL CL TW CL CL CL CL CL",
  "SA ES ES SR SA SA SA SA SA SA SA", "CL FW SS TW FW TW CL CW LA LI TW", "ES ES SS ES FW TW CL CW CL LI ES", "CL CL CL SR CL CL CL CL LA LI CL",
].map(parseRow);

function parseRow(row: string): Uint8Array {
  return Uint8Array.from(row.split(" ").map((code) => CODES[code] as number));
}

/** The next state. A segment without RST, SYN, FIN and ACK leads to CLOSE. */
export function nextTcpState(direction: StateDirection, state: number, flags: number, isSecure: boolean): number {
  const event = (flags & TCP_RST) !== 0 ? 3 : (flags & TCP_SYN) !== 0 ? 0 : (flags & TCP_FIN) !== 0 ? 1 : (flags & TCP_ACK) !== 0 ? 2 : -1;
  if (event < 0) return TCP_S_CLOSE;
  return ((isSecure ? SECURE : NORMAL)[direction * 4 + event] as Uint8Array)[state] as number;
}

/** States that count as active. Before 4.8 only ESTABLISHED did. ip_vs_proto_tcp.c:tcp_state_active_table */
export function isTcpStateActive(state: number, countsPreEstablished: boolean): boolean {
  return state === TCP_S_ESTABLISHED || (countsPreEstablished && (state === TCP_S_SYN_SENT || state === TCP_S_SYN_RECV || state === TCP_S_SYNACK));
}

/** Timeouts of one director, in nanoseconds: three can be set by `ipvsadm --set`. */
export class TcpTimeouts {
  readonly ns: number[] = TCP_TIMEOUTS_SECONDS.map((seconds) => seconds * NS_PER_SECOND);
}
