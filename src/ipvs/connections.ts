/**
 * The life of connection entries: made, bound to a dest, driven through their states, expired.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_conn.c (ip_vs_conn_new, ip_vs_bind_dest, ip_vs_unbind_dest, ip_vs_conn_expire,
 * ip_vs_conn_expire_now, ip_vs_check_template), ip_vs_proto_tcp.c (set_tcp_state), ip_vs_proto_udp.c (udp_state_transition).
 */

import { NS_PER_SECOND } from "../base/time.ts";
import { PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/packet.ts";
import {
  CONN_BYPASS,
  CONN_CONNTRACK,
  CONN_INACTIVE,
  CONN_NO_CLIENT_PORT,
  CONN_NO_OUTPUT,
  CONN_ONE_PACKET,
  Connection,
  type ConnectionKey,
  type ConnectionOwner,
} from "./connection.ts";
import { stateName } from "./connection-state.ts";
import type { Dest } from "./dest.ts";
import { type Director, formatConnection, formatDestName } from "./director.ts";
import { isFtpControl } from "./ftp-helper.ts";
import type { ForwardingMethod } from "./ipvs.ts";
import { touchConnection, touchConnectionAnew } from "./ipvs-tables.ts";
import { formatServiceKey } from "./service.ts";
import { nextSctpState, SCTP_S_CLOSED, SCTP_S_ESTABLISHED, SCTP_TIMEOUTS_NS } from "./sctp-states.ts";
import {
  DIRECTION_INPUT,
  DIRECTION_INPUT_ONLY,
  DIRECTION_OUTPUT,
  isTcpStateActive,
  nextTcpState,
  type StateDirection,
  TCP_S_CLOSE,
  TCP_S_ESTABLISHED,
  TCP_S_FIN_WAIT,
  TCP_S_TIME_WAIT,
} from "./tcp-states.ts";

/** A fresh entry, before its first packet has set a state. */
const FRESH_TIMEOUT_NS = 3 * NS_PER_SECOND;
/** An entry that still controls others waits so long again, and keeps this period. */
const CONTROLLER_TIMEOUT_NS = 60 * NS_PER_SECOND;
/** Port that an invalid template is moved to. */
const INVALID_PORT = 65535;
/** Entries that one director may hold. */
const CONNECTIONS_MAX = 4_000_000;

export class Connections implements ConnectionOwner {
  readonly #director: Director;

  constructor(director: Director) {
    this.#director = director;
  }

  /** A new entry bound to `dest`, in the table unless it is for one packet; undefined when the table is full. */
  create(key: ConnectionKey, to: { address: number; port: number; method: ForwardingMethod }, flags: number, dest: Dest | undefined, mark: number): Connection | undefined {
    const director = this.#director;
    if (director.table.size >= CONNECTIONS_MAX) return undefined;
    let all = flags;
    if (dest !== undefined) all |= CONN_INACTIVE;
    if (to.method !== "masq") all |= CONN_NO_OUTPUT;
    if (isFtpControl(key.protocol, key.virtualPort, to.method)) all |= CONN_CONNTRACK;
    const connection = this.#make(key, to, all, mark);
    if (dest !== undefined) this.#bind(connection, dest);
    if ((flags & CONN_ONE_PACKET) === 0) {
      director.table.add(connection);
      connection.timer.arm(FRESH_TIMEOUT_NS);
    }
    this.#trace(connection, "", stateName(connection));
    return connection;
  }

  #make(key: ConnectionKey, to: { address: number; port: number; method: ForwardingMethod }, flags: number, mark: number): Connection {
    const director = this.#director;
    const { loop, options } = director.host;
    const all = director.settings.conntrack.value !== 0 ? flags | CONN_CONNTRACK : flags;
    const connection = new Connection(this, loop, director.connectionSequence++, key, to, all, FRESH_TIMEOUT_NS);
    connection.mark = mark;
    connection.syncedUntil = Math.floor((loop.nowNs * options.hz) / NS_PER_SECOND) & ~3;
    return connection;
  }

  /* ---------------------------------------------------------------------------------------------------------- learnt by sync */

  /** A new entry that another director told of, in the table; `dest` is its server here, if there is one. `flags` holds CONN_SYNC. */
  createSynced(key: ConnectionKey, to: { address: number; port: number; method: ForwardingMethod }, flags: number, dest: Dest | undefined, mark: number): Connection | undefined {
    const { table } = this.#director;
    if (table.size >= CONNECTIONS_MAX) return undefined;
    const connection = this.#make(key, to, flags, mark);
    if (dest !== undefined) this.bindSynced(connection, dest);
    table.add(connection);
    connection.timer.arm(FRESH_TIMEOUT_NS);
    this.#trace(connection, "", stateName(connection));
    return connection;
  }

  /** Gives an entry without a server one, with the server's method; whether it is active stays as the other director said. */
  bindSynced(connection: Connection, dest: Dest): void {
    connection.method = dest.method;
    connection.flags &= ~(CONN_NO_OUTPUT | CONN_BYPASS);
    if (dest.method !== "masq") connection.flags |= CONN_NO_OUTPUT;
    if (connection.isTemplate) connection.flags |= CONN_INACTIVE;
    this.#bind(connection, dest);
  }

  /** Whether the entry counts as active, as the other director said. */
  applySyncedActivity(connection: Connection, isInactive: boolean): void {
    touchConnection(this.#director, connection);
    if (isInactive === ((connection.flags & CONN_INACTIVE) !== 0)) return;
    const { dest } = connection;
    if (dest !== undefined && !connection.isTemplate) {
      dest.activeConns += isInactive ? -1 : 1;
      dest.inactConns += isInactive ? 1 : -1;
    }
    connection.flags ^= CONN_INACTIVE;
  }

  /** The state as the other director said, and the timeout, which starts now. */
  applySyncedState(connection: Connection, state: number, timeoutNs: number): void {
    const before = stateName(connection);
    if (connection.isTemplate) connection.isAssured = (state & 1) !== 0;
    else connection.state = state;
    connection.syncedState = connection.state;
    connection.timeoutNs = timeoutNs;
    const after = stateName(connection);
    if (after !== before) this.#trace(connection, before, after);
    this.put(connection);
  }

  /* ----------------------------------------------------------------------------------------------------------------- life */

  /** Makes `connection` one of those that `controller` (a template) keeps alive. */
  control(connection: Connection, controller: Connection): void {
    connection.control = controller;
    controller.controlledCount++;
  }

  /** An entry that waits for a first packet, as long as its state lets it. ip_vs_proto_tcp.c:ip_vs_tcp_conn_listen */
  listen(connection: Connection, state: number): void {
    const before = stateName(connection);
    connection.state = state;
    connection.timeoutNs = this.#director.tcpTimeouts.ns[state] as number;
    this.#trace(connection, before, stateName(connection));
    this.put(connection);
  }

  /** The client's port of an entry has become known. */
  renamed(connection: Connection): void {
    touchConnectionAnew(this.#director, connection);
  }

  /** After a packet: the timer starts again; an entry for one packet is over. ip_vs_conn_put */
  put(connection: Connection): void {
    touchConnection(this.#director, connection);
    if ((connection.flags & CONN_ONE_PACKET) !== 0) this.#release(connection);
    else if (connection.isHashed) connection.timer.arm(connection.timeoutNs);
  }

  /** Ends an entry as soon as the current event is over (its counters still stand until then). ip_vs_conn_expire_now */
  expireNow(connection: Connection): void {
    touchConnection(this.#director, connection);
    connection.timer.arm(0);
  }

  /** Ends an entry at once, whatever it controls. ip_vs_conn_del */
  delete(connection: Connection): void {
    connection.timer.disarm();
    this.#director.table.remove(connection);
    this.#release(connection);
  }

  connectionExpired(connection: Connection): void {
    if (connection.controlledCount > 0) {
      connection.timeoutNs = CONTROLLER_TIMEOUT_NS;
      touchConnection(this.#director, connection);
      this.#director.syncConnection?.(connection, this.#director.settings.sync_threshold.counter);
      connection.timer.arm(CONTROLLER_TIMEOUT_NS);
      return;
    }
    this.#director.table.remove(connection);
    this.#release(connection);
  }

  /** Whether a template still leads anywhere; one that does not is moved aside to port 65535. */
  checkTemplate(template: Connection): boolean {
    const { dest } = template;
    const { settings, table } = this.#director;
    const isQuiescent = settings.expire_quiescent_template.value !== 0 && dest !== undefined && dest.weight === 0;
    if (dest?.available === true && !isQuiescent) return true;
    if (template.virtualPort !== INVALID_PORT) {
      table.remove(template);
      template.destPort = INVALID_PORT;
      template.virtualPort = INVALID_PORT;
      template.clientPort = 0;
      table.add(template);
      touchConnectionAnew(this.#director, template);
    }
    return false;
  }

  /** A SYN on an entry in a final state should choose a server anew. ip_vs_core.c:is_new_conn_expected */
  isReuseExpected(connection: Connection, reuseMode: number): boolean {
    if (connection.control !== undefined) return false;
    if (connection.protocol === PROTOCOL_TCP) {
      const { state } = connection;
      if (state === TCP_S_TIME_WAIT || state === TCP_S_CLOSE) return true;
      return (reuseMode & 2) !== 0 && state === TCP_S_FIN_WAIT && (connection.flags & CONN_NO_OUTPUT) !== 0;
    }
    return connection.protocol === PROTOCOL_SCTP && connection.state === SCTP_S_CLOSED;
  }

  /** Moves the state by one packet and sets the timeout that `put` will use. `event`: TCP flags, or the SCTP event. */
  setState(connection: Connection, isFromServer: boolean, event: number): void {
    const director = this.#director;
    if (connection.protocol === PROTOCOL_UDP) {
      connection.timeoutNs = director.udpTimeoutNs;
      if (isFromServer) this.#assureControl(connection);
      return;
    }
    let direction: StateDirection = isFromServer ? DIRECTION_OUTPUT : DIRECTION_INPUT;
    if ((connection.flags & CONN_NO_OUTPUT) !== 0) {
      if (isFromServer) connection.flags &= ~CONN_NO_OUTPUT;
      else direction = DIRECTION_INPUT_ONLY;
    }
    if (connection.protocol === PROTOCOL_TCP) {
      const next = nextTcpState(direction, connection.state, event, director.isSecure);
      this.#enter(connection, next, isTcpStateActive(next, director.host.options.ipvsCountsPreEstablished), next === TCP_S_ESTABLISHED);
      connection.timeoutNs = director.tcpTimeouts.ns[next] as number;
    } else if (connection.protocol === PROTOCOL_SCTP) {
      const next = nextSctpState(direction, connection.state, event);
      this.#enter(connection, next, next === SCTP_S_ESTABLISHED, next === SCTP_S_ESTABLISHED);
      connection.timeoutNs = SCTP_TIMEOUTS_NS[next] as number;
    }
  }

  #enter(connection: Connection, next: number, isActive: boolean, isEstablished: boolean): void {
    if (next === connection.state) return;
    const { dest } = connection;
    if (dest !== undefined) {
      const wasActive = (connection.flags & CONN_INACTIVE) === 0;
      if (wasActive && !isActive) {
        dest.activeConns--;
        dest.inactConns++;
        connection.flags |= CONN_INACTIVE;
      } else if (!wasActive && isActive) {
        dest.activeConns++;
        dest.inactConns--;
        connection.flags &= ~CONN_INACTIVE;
      }
    }
    if (isEstablished) this.#assureControl(connection);
    const before = stateName(connection);
    connection.state = next;
    this.#trace(connection, before, stateName(connection));
  }

  #bind(connection: Connection, dest: Dest): void {
    connection.dest = dest;
    touchConnectionAnew(this.#director, connection);
    dest.referenceCount++;
    dest.idleSinceNs = -1;
    const isTemplate = connection.isTemplate;
    if (isTemplate) {
      dest.persistConns++;
    } else {
      dest.totalConns++;
      if ((connection.flags & CONN_INACTIVE) === 0) dest.activeConns++;
      else dest.inactConns++;
    }
    this.#director.overload.connBound(dest, isTemplate);
  }

  #release(connection: Connection): void {
    const { dest, control } = connection;
    if ((connection.flags & CONN_NO_CLIENT_PORT) !== 0) this.#director.noClientPortCount--;
    if (control !== undefined) {
      connection.control = undefined;
      control.controlledCount--;
      // A template that never saw an established connection goes with the last one that was dropped on purpose.
      if (connection.timeoutNs === 0 && control.controlledCount === 0 && !(control.isTemplate && control.isAssured)) this.expireNow(control);
    }
    this.#trace(connection, stateName(connection), "");
    touchConnection(this.#director, connection);
    if (dest === undefined) return;
    connection.dest = undefined;
    dest.referenceCount--;
    const isTemplate = connection.isTemplate;
    if (isTemplate) {
      dest.persistConns--;
    } else {
      dest.totalConns--;
      if ((connection.flags & CONN_INACTIVE) === 0) dest.activeConns--;
      else dest.inactConns--;
    }
    this.#director.overload.connUnbound(dest, isTemplate);
  }

  #trace(connection: Connection, before: string, after: string): void {
    const { host } = this.#director;
    touchConnection(this.#director, connection);
    if (!host.trace.isFull) return;
    const dest = formatDestName({ address: connection.destAddress, port: connection.destPort });
    const service = connection.dest === undefined ? null : formatServiceKey(connection.dest.service.key);
    const { sequence: number, method } = connection;
    host.trace.emit({ kind: "ipvs-connection", host: host.name, connection: formatConnection(connection), number, service, dest, method, before, after, cause: 0 });
  }

  /** The template of a connection that came to life is worth keeping. ip_vs.h:ip_vs_control_assure_ct */
  #assureControl({ control }: Connection): void {
    if (control?.isTemplate !== true || control.isAssured) return;
    control.isAssured = true;
    touchConnection(this.#director, control);
  }
}
