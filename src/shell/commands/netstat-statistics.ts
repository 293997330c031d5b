/**
 * netstat -s: the tables of /proc/net/snmp and netstat in words.
 *
 * net-tools 2.10 statistics.c (process_fd, printval). A counter without words is told by its name, unless it is 0.
 */

/** Which tables are wanted; none of them: all. */
export interface StatisticsFilter {
  readonly isTcp: boolean;
  readonly isUdp: boolean;
  readonly isRaw: boolean;
}

/** `0` stands where the number goes. The mark before it: `!` tells it even when it is 0, `<` and `>` list messages of ICMP, `-` never tells it. */
type Words = Readonly<Record<string, string>>;

const IP: Words = {
  DefaultTTL: "-",
  InReceives: "!# total packets received",
  InHdrErrors: "# with invalid headers",
  InAddrErrors: "# with invalid addresses",
  ForwDatagrams: "!# forwarded",
  InUnknownProtos: "# with unknown protocol",
  InDiscards: "!# incoming packets discarded",
  InDelivers: "!# incoming packets delivered",
  OutRequests: "!# requests sent out",
  OutDiscards: "# outgoing packets dropped",
  OutNoRoutes: "# dropped because of missing route",
  ReasmTimeout: "# fragments dropped after timeout",
  ReasmReqds: "# reassemblies required",
  ReasmOKs: "# packets reassembled ok",
  ReasmFails: "# packet reassemblies failed",
  FragOKs: "# outgoing packets fragmented ok",
  FragFails: "# outgoing packets failed fragmentation",
  FragCreates: "# fragments created",
};

const ICMP: Words = {
  InMsgs: "!# ICMP messages received",
  InErrors: "!# input ICMP message failed",
  InDestUnreachs: "<destination unreachable: #",
  InTimeExcds: "<timeout in transit: #",
  InParmProbs: "<wrong parameters: #",
  InSrcQuenchs: "<source quenches: #",
  InRedirects: "<redirects: #",
  InEchos: "<echo requests: #",
  InEchoReps: "<echo replies: #",
  InTimestamps: "<timestamp request: #",
  InTimestampReps: "<timestamp reply: #",
  InAddrMasks: "<address mask request: #",
  InAddrMaskReps: "<address mask replies: #",
  OutMsgs: "!# ICMP messages sent",
  OutErrors: "!# ICMP messages failed",
  OutDestUnreachs: ">destination unreachable: #",
  OutTimeExcds: ">time exceeded: #",
  OutParmProbs: ">wrong parameters: #",
  OutSrcQuenchs: ">source quench: #",
  OutRedirects: ">redirect: #",
  OutEchos: ">echo requests: #",
  OutEchoReps: ">echo replies: #",
  OutTimestamps: ">timestamp requests: #",
  OutTimestampReps: ">timestamp replies: #",
  OutAddrMasks: ">address mask requests: #",
  OutAddrMaskReps: ">address mask replies: #",
};

const TCP: Words = {
  RtoAlgorithm: "-",
  RtoMin: "-",
  RtoMax: "-",
  MaxConn: "-",
  ActiveOpens: "!# active connection openings",
  PassiveOpens: "!# passive connection openings",
  AttemptFails: "!# failed connection attempts",
  EstabResets: "!# connection resets received",
  CurrEstab: "!# connections established",
  InSegs: "!# segments received",
  OutSegs: "!# segments sent out",
  RetransSegs: "!# segments retransmitted",
  InErrs: "!# bad segments received",
  OutRsts: "!# resets sent",
};

const UDP: Words = {
  InDatagrams: "!# packets received",
  NoPorts: "!# packets to unknown port received",
  InErrors: "!# packet receive errors",
  OutDatagrams: "!# packets sent",
  RcvbufErrors: "!# receive buffer errors",
  SndbufErrors: "!# send buffer errors",
};

const TCP_EXT: Words = {
  SyncookiesSent: "# SYN cookies sent",
  SyncookiesRecv: "# SYN cookies received",
  SyncookiesFailed: "# invalid SYN cookies received",
  EmbryonicRsts: "# resets received for embryonic SYN_RECV sockets",
  PruneCalled: "# packets pruned from receive queue because of socket buffer overrun",
  RcvPruned: "# packets pruned from receive queue",
  OfoPruned: "# packets dropped from out-of-order queue because of socket buffer overrun",
  OutOfWindowIcmps: "# ICMP packets dropped because they were out-of-window",
  LockDroppedIcmps: "# ICMP packets dropped because socket was locked",
  TW: "# TCP sockets finished time wait in fast timer",
  TWRecycled: "# time wait sockets recycled by time stamp",
  PAWSActive: "# active connections rejected because of time stamp",
  PAWSEstab: "# packets rejected in established connections because of timestamp",
  DelayedACKs: "# delayed acks sent",
  DelayedACKLocked: "# delayed acks further delayed because of locked socket",
  DelayedACKLost: "Quick ack mode was activated # times",
  ListenOverflows: "# times the listen queue of a socket overflowed",
  ListenDrops: "# SYNs to LISTEN sockets dropped",
  TCPHPHits: "!# packet headers predicted",
  TCPPureAcks: "# acknowledgments not containing data payload received",
  TCPHPAcks: "# predicted acknowledgments",
  TCPRenoRecovery: "# times recovered from packet loss due to fast retransmit",
  TCPSACKReorder: "Detected reordering # times using SACK",
  TCPRenoReorder: "Detected reordering # times using reno fast retransmit",
  TCPTSReorder: "Detected reordering # times using time stamp",
  TCPFullUndo: "# congestion windows fully recovered without slow start",
  TCPPartialUndo: "# congestion windows partially recovered using Hoe heuristic",
  TCPLossUndo: "# congestion windows recovered without slow start after partial ack",
  TCPRenoFailures: "# timeouts after reno fast retransmit",
  TCPLossFailures: "# timeouts in loss state",
  TCPFastRetrans: "# fast retransmits",
  TCPSlowStartRetrans: "# retransmits in slow start",
  TCPRcvCollapsed: "# packets collapsed in receive queue due to low socket buffer",
  TCPAbortOnData: "# connections reset due to unexpected data",
  TCPAbortOnClose: "# connections reset due to early user close",
  TCPAbortOnMemory: "# connections aborted due to memory pressure",
  TCPAbortOnTimeout: "# connections aborted due to timeout",
  TCPAbortOnLinger: "# connections aborted after user close in linger timeout",
  TCPAbortFailed: "# times unable to send RST due to no memory",
  TCPMemoryPressures: "TCP ran low on memory # times",
};

/** With IPv6 nothing ever happens; even the heading of one histogram stands where the real program puts it. */
const IP6 = `Ip6:
    0 total packets received
    0 incoming packets discarded
    0 incoming packets delivered
    0 forwarded
    0 requests sent out
Icmp6:
    0 ICMP messages received
    0 input ICMP message failed
    0 ICMP messages sent
    ICMP input histogram:
        ICMP output histogram:
`;
const UDP6 = `Udp6:
    0 packets received
    0 packets to unknown port received
    0 packet receive errors
    0 packets sent
`;

interface KnownTable {
  readonly words: Words;
  readonly option: keyof StatisticsFilter;
}

const TABLES: Readonly<Record<string, KnownTable>> = {
  Ip: { words: IP, option: "isRaw" },
  Icmp: { words: ICMP, option: "isRaw" },
  Tcp: { words: TCP, option: "isTcp" },
  Udp: { words: UDP, option: "isUdp" },
  TcpExt: { words: TCP_EXT, option: "isTcp" },
};

/** What was said so far decides how far to the right the next line stands. */
type Histogram = "none" | "input" | "output";

class Writer {
  text = "";
  readonly #filter: StatisticsFilter;
  readonly #wantsAll: boolean;
  #histogram: Histogram = "none";

  constructor(filter: StatisticsFilter) {
    this.#filter = filter;
    this.#wantsAll = !filter.isTcp && !filter.isUdp && !filter.isRaw;
  }

  /** One table. Tables that netstat does not know are told by all options. */
  table(title: string, values: readonly (readonly [string, string])[]): void {
    const known = Object.hasOwn(TABLES, title) ? TABLES[title] : undefined;
    if (known !== undefined) {
      this.#histogram = "none";
      if (!this.#wantsAll && !this.#filter[known.option]) return;
    }
    this.text += `${title}:\n`;
    for (const [name, value] of values) this.#counter(known?.words[name], name, value);
  }

  #counter(words: string | undefined, name: string, value: string): void {
    if (words === "-") return;
    const mark = words?.[0] ?? "";
    if (mark === "<") this.#list("input");
    else if (mark === ">") this.#list("output");
    else if (mark === "!") this.#histogram = "none";
    if (value === "0" && mark !== "!") return;
    const said = words === undefined ? `${name}: ${value}` : words.replace(/^[!<>]/, "").replace("#", value);
    this.text += `${this.#histogram === "none" ? "" : "    "}    ${said}\n`;
  }

  #list(histogram: Histogram): void {
    if (this.#histogram === histogram) return;
    this.text += `    ICMP ${histogram} histogram:\n`;
    this.#histogram = histogram;
  }
}

/** `texts`: files of two rows a table, one after the other. */
export function formatStatistics(texts: readonly string[], filter: StatisticsFilter): string {
  const writer = new Writer(filter);
  for (const text of texts) {
    const rows = text.split("\n");
    for (let i = 0; i + 1 < rows.length; i += 2) {
      const [title = "", ...names] = (rows[i] as string).split(" ");
      const values = (rows[i + 1] as string).split(" ").slice(1);
      writer.table(
        title.slice(0, -1),
        names.map((name, at) => [name, values[at] ?? "0"]),
      );
    }
  }
  return writer.text;
}

/** netstat -s -6: of `snmp` TCP is told, which both versions share. */
export function formatStatistics6(snmp: string, filter: StatisticsFilter): string {
  const wantsAll = !filter.isTcp && !filter.isUdp && !filter.isRaw;
  const tcp = snmp.split("\n").filter((row) => row.startsWith("Tcp:"));
  const parts = [filter.isRaw || wantsAll ? IP6 : "", filter.isUdp || wantsAll ? UDP6 : "", "UdpLite6:\n"];
  if (filter.isTcp || wantsAll) parts.push(formatStatistics([`${tcp.join("\n")}\n`], filter));
  return parts.join("");
}
