/**
 * Matches that ask conntrack: state, conntrack, connlimit.
 *
 * Linux v6.1 net/netfilter/xt_conntrack.c, xt_connlimit.c, nf_conncount.c.
 */

import { prefixMask } from "../../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../base/time.ts";
import type { SkBuff } from "../skb.ts";
import type { Connection } from "./connection.ts";
import { connectionOf, isReplyInfo } from "./conntrack.ts";
import { type MatchContext, type MatchFunction, NO, YES } from "./match-context.ts";
import type { AddressTest, ConntrackTest, MatchSpec, RangeTest, StateName, StatusName } from "./rule.ts";
import { Tuple } from "./tuple.ts";

/** State of a packet in the words of -m state. */
export function stateOf(skb: SkBuff): StateName {
  switch (skb.conntrackInfo) {
    case "NEW":
      return "NEW";
    case "ESTABLISHED":
    case "ESTABLISHED_REPLY":
      return "ESTABLISHED";
    case "RELATED":
    case "RELATED_REPLY":
      return "RELATED";
    case "UNTRACKED":
      return "UNTRACKED";
    default:
      return "INVALID";
  }
}

function isAddress(address: number, test: AddressTest | undefined): boolean {
  return test === undefined || ((address & test.mask) >>> 0 === (test.address & test.mask) >>> 0) !== test.isInverted;
}

function isPort(port: number, test: RangeTest | undefined): boolean {
  return test === undefined || (port >= test.min && port <= test.max) !== test.isInverted;
}

function hasStatus(connection: Connection, name: StatusName): boolean {
  switch (name) {
    case "NONE":
      return !connection.hasReply && !connection.isAssured && !connection.isConfirmed;
    case "EXPECTED":
      return false;
    case "SEEN_REPLY":
      return connection.hasReply;
    case "ASSURED":
      return connection.isAssured;
    case "CONFIRMED":
      return connection.isConfirmed;
  }
}

function passesTuples(connection: Connection, test: ConntrackTest): boolean {
  const { original, reply } = connection;
  return (
    isAddress(original.src, test.originalSource) &&
    isAddress(original.dst, test.originalDestination) &&
    isAddress(reply.src, test.replySource) &&
    isAddress(reply.dst, test.replyDestination) &&
    isPort(original.srcPort, test.originalSourcePort) &&
    isPort(original.dstPort, test.originalDestinationPort) &&
    isPort(reply.srcPort, test.replySourcePort) &&
    isPort(reply.dstPort, test.replyDestinationPort)
  );
}

function passesStates(skb: SkBuff, connection: Connection | undefined, test: NonNullable<ConntrackTest["states"]>): boolean {
  const { names } = test;
  let isMatch = names.includes(stateOf(skb));
  if (connection?.isSourceNat === true && names.includes("SNAT")) isMatch = true;
  if (connection?.isDestinationNat === true && names.includes("DNAT")) isMatch = true;
  return isMatch !== test.isInverted;
}

export function compileConntrack(test: ConntrackTest, context: MatchContext): MatchFunction {
  const { loop } = context.host;
  return (skb) => {
    const connection = connectionOf(skb);
    if (test.states !== undefined && !passesStates(skb, connection, test.states)) return NO;
    if (connection === undefined) return test.states !== undefined ? YES : NO;
    if (test.direction !== undefined && (test.direction === "REPLY") !== isReplyInfo(skb.conntrackInfo)) return NO;
    if (test.protocol !== undefined && (connection.original.protocol === test.protocol.number) === test.protocol.isInverted) return NO;
    if (!passesTuples(connection, test)) return NO;
    if (test.status !== undefined && test.status.names.some((name) => hasStatus(connection, name)) === test.status.isInverted) return NO;
    if (test.expires === undefined) return YES;
    const seconds = connection.isConfirmed ? Math.floor((connection.expiresAtNs - loop.nowNs) / NS_PER_SECOND) : 0;
    return isPort(seconds, test.expires) ? YES : NO;
  };
}

/** Counts the connections of a network. Each is dropped from the list when it is over, TCP already in TIME_WAIT or closed. */
export function compileConnlimit(spec: Extract<MatchSpec, { kind: "connlimit" }>, context: MatchContext): MatchFunction {
  const mask = prefixMask(spec.prefixLength);
  const tuplesByNetwork = new Map<number, Tuple[]>();
  return (skb) => {
    const own = connectionOf(skb);
    const tuple = own === undefined ? new Tuple() : own.original;
    if (own === undefined && !tuple.readFrom(skb.ip)) return NO;
    const network = ((spec.isDestination ? skb.ip.dst : skb.ip.src) & mask) >>> 0;
    const alive = (tuplesByNetwork.get(network) ?? []).filter((old) => isCounted(old, tuple, context));
    if (!alive.some((old) => old.equals(tuple))) alive.push(tuple.copy());
    tuplesByNetwork.set(network, alive);
    return alive.length > spec.limit !== spec.isUpTo ? YES : NO;
  };
}

function isCounted(old: Tuple, current: Tuple, context: MatchContext): boolean {
  if (old.equals(current)) return true;
  const connection = context.conntrack.find(old);
  if (connection === undefined) return false;
  return connection.state !== "TIME_WAIT" && connection.state !== "CLOSE";
}
