/**
 * TCP connection tracking: states, windows and what is invalid.
 *
 * The tracker guesses what both ends believe from the segments that pass: `sender` is the end whose segment this is, `receiver` the other.
 * Linux v6.1 net/netfilter/nf_conntrack_proto_tcp.c.
 */

import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, type TcpSegment } from "../../wire/packet.ts";
import type { SequenceAdjust } from "./sequence-adjust.ts";

export const TCP_STATE_NAMES = [
  "NONE",
  "SYN_SENT",
  "SYN_RECV",
  "ESTABLISHED",
  "FIN_WAIT",
  "CLOSE_WAIT",
  "LAST_ACK",
  "TIME_WAIT",
  "CLOSE",
  "SYN_SENT2",
] as const;

const NO = 0;
const SS = 1;
const SR = 2;
const ES = 3;
const FW = 4;
const CW = 5;
const LA = 6;
const TW = 7;
const CL = 8;
const S2 = 9;
/** Not a state: the segment is invalid, or let through without belief. */
const IV = 10;
const IG = 11;

const SYN_SET = 0;
const SYNACK_SET = 1;
const FIN_SET = 2;
const ACK_SET = 3;
const RST_SET = 4;
const NONE_SET = 5;

/** Next state by direction, kind of segment (SYN, SYN+ACK, FIN, ACK, RST, none) and state; columns NO SS SR ES FW CW LA TW CL S2. */
const TRANSITIONS: readonly (readonly (readonly number[])[])[] = [
  [
    [SS, SS, IG, IG, IG, IG, IG, SS, SS, S2],
    [IV, IV, IG, IG, IG, IG, IG, IG, IG, SR],
    [IV, IV, FW, FW, LA, LA, LA, TW, CL, IV],
    [ES, IV, ES, ES, CW, CW, TW, TW, CL, IV],
    [IV, CL, CL, CL, CL, CL, CL, CL, CL, CL],
    [IV, IV, IV, IV, IV, IV, IV, IV, IV, IV],
  ],
  [
    [IV, S2, IV, IV, IV, IV, IV, SS, IV, S2],
    [IV, SR, IG, IG, IG, IG, IG, IG, IG, SR],
    [IV, IV, FW, FW, LA, LA, LA, TW, CL, IV],
    [IV, IG, SR, ES, CW, CW, TW, TW, CL, IG],
    [IV, CL, CL, CL, CL, CL, CL, CL, CL, CL],
    [IV, IV, IV, IV, IV, IV, IV, IV, IV, IV],
  ],
];

const FLAG_WINDOW_SCALE = 1;
const FLAG_SACK_PERMITTED = 2;
const FLAG_CLOSE_INIT = 4;
const FLAG_BE_LIBERAL = 8;
const FLAG_UNACKNOWLEDGED = 16;
const FLAG_MAXACK_SET = 32;
const FLAG_CHALLENGE_ACK = 64;
const FLAG_SIMULTANEOUS_OPEN = 128;

const MAX_ACK_WINDOW = 66000;

/** Seconds by state index, as net.netfilter.nf_conntrack_tcp_timeout_* holds them; read at each packet. */
export interface TcpTimeouts {
  /** By state: NONE and SYN_SENT to SYN_SENT2. */
  readonly byState: readonly { readonly value: number }[];
  readonly retransmit: { readonly value: number };
  readonly unacknowledged: { readonly value: number };
  readonly loose: { readonly value: number };
  readonly beLiberal: { readonly value: number };
  readonly maxRetransmits: { readonly value: number };
  readonly ignoreInvalidReset: { readonly value: number };
}

/** What is believed of one end (struct ip_ct_tcp_state). */
class TcpEnd {
  end = 0;
  maxEnd = 0;
  maxWindow = 0;
  maxAck = 0;
  scale = 0;
  flags = 0;
}

export class TcpTrack {
  state: number = NO;
  readonly ends: readonly [TcpEnd, TcpEnd] = [new TcpEnd(), new TcpEnd()];
  lastDirection = 0;
  lastIndex: number = NONE_SET;
  lastSeq = 0;
  lastAck = 0;
  lastEnd = 0;
  lastWindow = 0;
  lastScale = 0;
  lastFlags = 0;
  retransmits = 0;
  /** A helper has changed the length of a text (IPS_SEQ_ADJUST). */
  sequences: SequenceAdjust | undefined = undefined;

  /** Forgets the windows: tracking was off for a while (nf_ct_tcp_fixup). */
  forgetWindows(): void {
    this.ends[0].maxWindow = 0;
    this.ends[1].maxWindow = 0;
  }
}

/** What the connection around a track knows. */
export interface TcpContext {
  readonly isNew: boolean;
  readonly hasReply: boolean;
  readonly isAssured: boolean;
}

/** accept: refresh with `timeoutSeconds`, or leave the timer when it is 0. kill: accept, the entry goes. repeat: the entry goes, look up again. */
export interface TcpVerdict {
  readonly kind: "accept" | "invalid" | "kill" | "repeat";
  readonly timeoutSeconds: number;
  readonly isAssured: boolean;
}

const INVALID: TcpVerdict = { kind: "invalid", timeoutSeconds: 0, isAssured: false };
const KILL: TcpVerdict = { kind: "kill", timeoutSeconds: 0, isAssured: false };
const REPEAT: TcpVerdict = { kind: "repeat", timeoutSeconds: 0, isAssured: false };
/** Accepted, and the entry stays as it is. */
const PASS: TcpVerdict = { kind: "accept", timeoutSeconds: 0, isAssured: false };

function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

function kindOf(flags: number): number {
  if ((flags & TCP_RST) !== 0) return RST_SET;
  if ((flags & TCP_SYN) !== 0) return (flags & TCP_ACK) !== 0 ? SYNACK_SET : SYN_SET;
  if ((flags & TCP_FIN) !== 0) return FIN_SET;
  return (flags & TCP_ACK) !== 0 ? ACK_SET : NONE_SET;
}

function endOf(tcp: TcpSegment): number {
  return (tcp.seq + tcp.payload.length + ((tcp.flags & TCP_SYN) !== 0 ? 1 : 0) + ((tcp.flags & TCP_FIN) !== 0 ? 1 : 0)) >>> 0;
}

/** Combinations of FIN, SYN, RST and ACK that a TCP may send; PSH and (with the ones below) URG do not matter (tcp_error). */
function hasValidFlags(flags: number): boolean {
  const rest = flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK | 0x20);
  switch (rest & ~0x20) {
    case TCP_SYN:
    case TCP_FIN | TCP_ACK:
    case TCP_ACK:
      return true;
    case TCP_SYN | TCP_ACK:
    case TCP_RST:
    case TCP_RST | TCP_ACK:
      return (rest & 0x20) === 0;
    default:
      return false;
  }
}

function readOptions(tcp: TcpSegment, end: TcpEnd): void {
  if (tcp.optionBytes === 0) return;
  end.scale = 0;
  end.flags = 0;
  if (tcp.options.sackPermitted === true) end.flags |= FLAG_SACK_PERMITTED;
  if (tcp.options.windowScale !== undefined) {
    end.scale = Math.min(tcp.options.windowScale, 14);
    end.flags |= FLAG_WINDOW_SCALE;
  }
}

/** The first segment of an entry (tcp_new): false when no connection may begin with it. */
export function beginTcp(track: TcpTrack, tcp: TcpSegment, timeouts: TcpTimeouts): boolean {
  const next = TRANSITIONS[0]?.[kindOf(tcp.flags)]?.[NO] ?? IV;
  if (next >= IV || !hasValidFlags(tcp.flags)) return false;
  const sender = track.ends[0];
  sender.end = endOf(tcp);
  sender.maxWindow = Math.max(tcp.window, 1);
  if (next === SS) {
    sender.maxEnd = sender.end;
    readOptions(tcp, sender);
    return true;
  }
  if (timeouts.loose.value === 0) return false;
  sender.maxEnd = (sender.end + sender.maxWindow) >>> 0;
  sender.flags = FLAG_SACK_PERMITTED | FLAG_BE_LIBERAL;
  track.ends[1].flags = sender.flags;
  return true;
}

/** One segment of a tracked connection (nf_conntrack_tcp_packet). `direction`: 0 original, 1 reply. */
export function trackTcp(track: TcpTrack, tcp: TcpSegment, direction: 0 | 1, context: TcpContext, timeouts: TcpTimeouts): TcpVerdict {
  if (!hasValidFlags(tcp.flags)) return INVALID;
  const kind = kindOf(tcp.flags);
  let old = track.state;
  let next = TRANSITIONS[direction]?.[kind]?.[old] ?? IV;
  const otherEnd = track.ends[direction === 0 ? 1 : 0];
  let isCheckingWindow = true;
  switch (next) {
    case SS:
      if (old < TW) break;
      if (((track.ends[0].flags | track.ends[1].flags) & FLAG_CLOSE_INIT) !== 0 || (track.lastDirection === direction && track.lastIndex === RST_SET))
        return REPEAT;
      return ignore(track, tcp, kind, direction, old);
    case IG:
      if (kind !== SYNACK_SET || track.lastIndex !== SYN_SET || track.lastDirection === direction || tcp.ack !== track.lastEnd)
        return ignore(track, tcp, kind, direction, old);
      resynchronise(track, direction);
      old = SS;
      next = SR;
      break;
    case IV:
      return INVALID;
    case TW:
      if (old === LA && kind === ACK_SET && track.lastDirection !== direction && track.lastIndex === SYN_SET && (track.lastFlags & FLAG_CHALLENGE_ACK) !== 0) {
        track.lastFlags &= ~FLAG_CHALLENGE_ACK;
        return PASS;
      }
      break;
    case S2:
      track.lastFlags |= FLAG_SIMULTANEOUS_OPEN;
      break;
    case SR:
      if (direction === 1 && kind === ACK_SET && (track.lastFlags & FLAG_SIMULTANEOUS_OPEN) !== 0) next = ES;
      break;
    case CL: {
      if (kind !== RST_SET) break;
      const reset = judgeReset(track, tcp, direction, old, otherEnd, context, timeouts);
      if (reset === "invalid") return INVALID;
      if (reset === "keep") next = old;
      if (reset === "in-window") isCheckingWindow = false;
      break;
    }
    default:
  }
  if (isCheckingWindow) {
    const window = checkWindow(track, tcp, direction, kind, timeouts);
    if (window === "ignore") return PASS;
    if (window === "invalid") return INVALID;
  }
  return settle(track, tcp, direction, kind, old, next, context, timeouts);
}

/** A segment that may be right where our belief is wrong: let through, remembered for what the other end answers. */
function ignore(track: TcpTrack, tcp: TcpSegment, kind: number, direction: 0 | 1, old: number): TcpVerdict {
  track.lastIndex = kind;
  track.lastDirection = direction;
  track.lastSeq = tcp.seq;
  track.lastEnd = endOf(tcp);
  track.lastWindow = tcp.window;
  if (kind === SYN_SET && direction === 0) {
    const seen = new TcpEnd();
    readOptions(tcp, seen);
    track.lastFlags = seen.flags;
    track.lastScale = seen.scale;
    if (old === LA) track.lastFlags |= FLAG_CHALLENGE_ACK;
  }
  if (old === SS && kind === ACK_SET && direction === 1) track.lastAck = tcp.ack;
  return PASS;
}

/** The other end answered a SYN that we had ignored: they agree with each other, so take up what they believe. */
function resynchronise(track: TcpTrack, direction: 0 | 1): void {
  const opener = track.ends[direction === 0 ? 1 : 0];
  opener.end = track.lastEnd;
  opener.maxEnd = track.lastEnd;
  opener.maxWindow = Math.max(track.lastWindow, 1);
  opener.scale = track.lastScale;
  track.lastFlags &= ~FLAG_CHALLENGE_ACK;
  opener.flags = track.lastFlags;
  Object.assign(track.ends[direction], new TcpEnd());
}

function judgeReset(
  track: TcpTrack,
  tcp: TcpSegment,
  direction: 0 | 1,
  old: number,
  other: TcpEnd,
  context: TcpContext,
  timeouts: TcpTimeouts,
): "close" | "keep" | "invalid" | "in-window" {
  let result: "close" | "keep" = "close";
  const isEstablished = old >= ES && old < TW;
  if ((other.flags & FLAG_MAXACK_SET) !== 0) {
    if (tcp.seq === 0 && !isEstablished) return "close";
    if (isBefore(tcp.seq, other.maxAck) && timeouts.ignoreInvalidReset.value === 0) return "invalid";
    if (!isEstablished || tcp.seq === other.maxAck) return "close";
    if (track.lastIndex === ACK_SET && track.lastDirection === direction && tcp.seq === track.lastEnd) return "close";
    result = "keep";
  }
  const answersIgnored = (context.hasReply && track.lastIndex === SYN_SET) || (!context.isAssured && track.lastIndex === ACK_SET);
  if (answersIgnored && tcp.ack === track.lastEnd) return "in-window";
  if (old === SS && track.lastIndex === ACK_SET && track.lastDirection === 1 && tcp.seq === track.lastAck) return "in-window";
  return result;
}

/** First segment seen of an end (tcp_init_sender). */
function initialiseEnd(sender: TcpEnd, receiver: TcpEnd, tcp: TcpSegment, end: number, sack: number): boolean {
  sender.end = end;
  sender.maxEnd = end;
  sender.maxWindow = Math.max(tcp.window, 1);
  if ((tcp.flags & TCP_SYN) !== 0) {
    readOptions(tcp, sender);
    if ((sender.flags & receiver.flags & FLAG_WINDOW_SCALE) === 0) {
      sender.scale = 0;
      receiver.scale = 0;
    }
    return (tcp.flags & TCP_ACK) !== 0;
  }
  sender.maxWindow = Math.max(tcp.window * 2 ** sender.scale, 1);
  sender.maxEnd = (end + sender.maxWindow) >>> 0;
  if (receiver.maxWindow === 0) {
    receiver.end = sack;
    receiver.maxEnd = sack;
  } else if (sack === (receiver.end + 1) >>> 0) {
    receiver.end = sack;
  }
  return true;
}

function highestSack(tcp: TcpSegment): number {
  let sack = tcp.ack;
  for (const block of tcp.options.sack ?? []) if (isBefore(sack, block[1])) sack = block[1];
  return sack;
}

/** Is the segment one that the receiver could want (tcp_in_window)? Updates what is believed of both ends. */
function checkWindow(track: TcpTrack, tcp: TcpSegment, direction: 0 | 1, kind: number, timeouts: TcpTimeouts): "accept" | "ignore" | "invalid" {
  const sender = track.ends[direction];
  const receiver = track.ends[direction === 0 ? 1 : 0];
  let seq = tcp.seq;
  let end = endOf(tcp);
  let ack = tcp.ack;
  let sack = (receiver.flags & FLAG_SACK_PERMITTED) !== 0 ? highestSack(tcp) : ack;
  if (track.sequences !== undefined) {
    // What was acknowledged is the changed text; the belief is about the sender's own numbers.
    const offset = track.sequences.offsetAt(direction === 0 ? 1 : 0, (ack - 1) >>> 0);
    ack = (ack - offset) >>> 0;
    sack = (sack - offset) >>> 0;
  }
  if (sender.maxWindow === 0) {
    if (!initialiseEnd(sender, receiver, tcp, end, sack)) return "accept";
  } else if (((track.state === SS && direction === 0) || (track.state === SR && direction === 1)) && isBefore(sender.end, end)) {
    sender.end = end;
    sender.maxEnd = end;
    sender.maxWindow = Math.max(tcp.window, 1);
    readOptions(tcp, sender);
  }
  const hasAck = (tcp.flags & TCP_ACK) !== 0;
  if (!hasAck || ((tcp.flags & TCP_RST) !== 0 && ack === 0)) {
    ack = receiver.end;
    sack = ack;
  }
  if ((tcp.flags & TCP_RST) !== 0 && seq === 0 && track.state === SS) {
    seq = sender.end;
    end = seq;
  }
  const reach = Math.max(sender.maxWindow, MAX_ACK_WINDOW);
  const isAckOk = isBefore(receiver.end - reach - 1, sack);
  const isLiberal = (sender.flags & FLAG_BE_LIBERAL) !== 0 || timeouts.beLiberal.value !== 0;
  if (!isBefore(seq, sender.maxEnd + 1)) {
    const overshot = (end - sender.maxEnd + 1) >>> 0;
    const isInWindow = receiver.maxWindow !== 0 && isBefore(sender.end - receiver.maxWindow - 1, end);
    if (isLiberal) return "accept";
    return isInWindow && isAckOk && overshot <= receiver.maxWindow && isBefore(sack, receiver.end + 1) ? "ignore" : "invalid";
  }
  if (!isBefore(sack, receiver.end + 1)) return isLiberal ? "accept" : "invalid";
  if (receiver.maxWindow !== 0 && !isBefore(sender.end - receiver.maxWindow - 1, end)) return isLiberal ? "accept" : "ignore";
  if (!isAckOk) return isLiberal ? "accept" : "ignore";
  believe(track, sender, receiver, tcp, { seq, end, ack, sack, direction, kind, hasAck });
  return "accept";
}

interface SeenSegment {
  readonly seq: number;
  readonly end: number;
  readonly ack: number;
  readonly sack: number;
  readonly direction: 0 | 1;
  readonly kind: number;
  readonly hasAck: boolean;
}

function believe(track: TcpTrack, sender: TcpEnd, receiver: TcpEnd, tcp: TcpSegment, seen: SeenSegment): void {
  const window = (tcp.flags & TCP_SYN) !== 0 ? tcp.window : tcp.window * 2 ** sender.scale;
  sender.maxWindow = Math.max(sender.maxWindow, window + ((seen.sack - seen.ack) >>> 0));
  if (isBefore(sender.end, seen.end)) {
    sender.end = seen.end;
    sender.flags |= FLAG_UNACKNOWLEDGED;
  }
  if (seen.hasAck && ((sender.flags & FLAG_MAXACK_SET) === 0 || isBefore(sender.maxAck, seen.ack))) {
    sender.maxAck = seen.ack;
    sender.flags |= FLAG_MAXACK_SET;
  }
  if (receiver.maxWindow !== 0 && isBefore(sender.maxEnd, seen.end)) receiver.maxWindow += (seen.end - sender.maxEnd) >>> 0;
  const right = (seen.sack + window) >>> 0;
  if (isBefore(receiver.maxEnd - 1, right)) receiver.maxEnd = window === 0 ? (right + 1) >>> 0 : right;
  if (seen.ack === receiver.end) receiver.flags &= ~FLAG_UNACKNOWLEDGED;
  if (seen.kind !== ACK_SET) return;
  if (
    track.lastDirection === seen.direction &&
    track.lastSeq === seen.seq &&
    track.lastAck === seen.ack &&
    track.lastEnd === seen.end &&
    track.lastWindow === window
  ) {
    track.retransmits++;
    return;
  }
  track.lastDirection = seen.direction;
  track.lastSeq = seen.seq;
  track.lastAck = seen.ack;
  track.lastEnd = seen.end;
  track.lastWindow = window;
  track.retransmits = 0;
}

function settle(
  track: TcpTrack,
  tcp: TcpSegment,
  direction: 0 | 1,
  kind: number,
  old: number,
  next: number,
  context: TcpContext,
  timeouts: TcpTimeouts,
): TcpVerdict {
  track.lastIndex = kind;
  track.lastDirection = direction;
  track.state = next;
  if (old !== next && next === FW) track.ends[direction].flags |= FLAG_CLOSE_INIT;
  const own = timeouts.byState[next]?.value ?? 0;
  const retransmit = timeouts.retransmit.value;
  const unacknowledged = timeouts.unacknowledged.value;
  let timeoutSeconds = own;
  if (track.retransmits >= timeouts.maxRetransmits.value && own > retransmit) timeoutSeconds = retransmit;
  else if (kind === RST_SET) timeoutSeconds = timeouts.byState[CL]?.value ?? 0;
  else if (((track.ends[0].flags | track.ends[1].flags) & FLAG_UNACKNOWLEDGED) !== 0 && own > unacknowledged) timeoutSeconds = unacknowledged;
  else if (track.lastWindow === 0 && own > retransmit) timeoutSeconds = retransmit;
  if (!context.hasReply) {
    if ((tcp.flags & TCP_RST) !== 0) return KILL;
    if (kind === SYN_SET && old === SS) return PASS;
    if (next === ES && timeoutSeconds > unacknowledged) timeoutSeconds = unacknowledged;
    return { kind: "accept", timeoutSeconds, isAssured: false };
  }
  const isAssured = !context.isAssured && (old === SR || old === ES) && next === ES;
  return { kind: "accept", timeoutSeconds, isAssured };
}
