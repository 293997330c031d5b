/**
 * What a connection entry's state is called.
 */

import { PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/packet.ts";
import { CONN_TEMPLATE, type Connection } from "./connection.ts";
import { SCTP_STATE_NAMES } from "./sctp-states.ts";
import { TCP_STATE_NAMES } from "./tcp-states.ts";

/** The state as `ipvsadm -Lc` prints it. ip_vs_core.c:ip_vs_state_name */
export function stateName(connection: Connection): string {
  if ((connection.flags & CONN_TEMPLATE) !== 0) return connection.isAssured ? "ASSURED" : "NONE";
  if (connection.protocol === PROTOCOL_TCP) return TCP_STATE_NAMES[connection.state] ?? "ERR!";
  if (connection.protocol === PROTOCOL_UDP) return "UDP";
  if (connection.protocol === PROTOCOL_SCTP) return SCTP_STATE_NAMES[connection.state] ?? "?";
  return "NONE";
}
