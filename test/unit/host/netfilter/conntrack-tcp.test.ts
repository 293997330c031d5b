import { expect, test } from "vitest";
import { beginTcp, TCP_STATE_NAMES, type TcpTimeouts, TcpTrack, trackTcp } from "../../../../src/host/netfilter/conntrack-tcp.ts";
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, TcpSegment } from "../../../../src/wire/packet.ts";

const SECONDS = [0, 120, 60, 432000, 120, 60, 30, 120, 10, 120];
const TIMEOUTS: TcpTimeouts = {
  byState: SECONDS.map((value) => ({ value })),
  retransmit: { value: 300 },
  unacknowledged: { value: 300 },
  loose: { value: 1 },
  beLiberal: { value: 0 },
  maxRetransmits: { value: 3 },
  ignoreInvalidReset: { value: 0 },
};

const FLAGS: Readonly<Record<string, number>> = { S: TCP_SYN, A: TCP_ACK, F: TCP_FIN, R: TCP_RST, P: TCP_PSH };

/** `> S 100:0 ack 0 len 0`, `<` for the other direction; `=> STATE seconds` or `=> invalid`. */
function play(lines: readonly string[], timeouts = TIMEOUTS): string[] {
  const track = new TcpTrack();
  let hasReply = false;
  let isAssured = false;
  return lines.map((line, index) => {
    const [arrow = "", flagText = "", seq = "0", ack = "0", length = "0", window = "1000"] = line.split(" ");
    const flags = [...flagText].reduce((sum, letter) => sum | (FLAGS[letter] ?? 0), 0);
    const tcp = new TcpSegment(1, 2, Number(seq), Number(ack), flags, Number(window));
    tcp.payload = new Uint8Array(Number(length));
    if (index === 0 && !beginTcp(track, tcp, timeouts)) return "none";
    const verdict = trackTcp(track, tcp, arrow === ">" ? 0 : 1, { isNew: index === 0, hasReply, isAssured }, timeouts);
    if (arrow === "<" && verdict.kind === "accept") hasReply = true;
    isAssured ||= verdict.isAssured;
    const time = verdict.timeoutSeconds > 0 ? ` ${verdict.timeoutSeconds}` : "";
    return verdict.kind === "accept" ? `${TCP_STATE_NAMES[track.state]}${time}${isAssured ? " assured" : ""}` : verdict.kind;
  });
}

test.each([
  {
    name: "a whole connection",
    lines: ["> S 100", "< SA 500 101", "> A 101 501", "> PA 101 501 10", "< A 501 111", "< FA 501 111", "> A 111 502", "> FA 111 502", "< A 502 112"],
    states: [
      "SYN_SENT 120",
      "SYN_RECV 60",
      "ESTABLISHED 432000 assured",
      "ESTABLISHED 300 assured",
      "ESTABLISHED 432000 assured",
      "FIN_WAIT 120 assured",
      "CLOSE_WAIT 60 assured",
      "LAST_ACK 30 assured",
      "TIME_WAIT 120 assured",
    ],
  },
  { name: "only one direction is seen", lines: ["> S 100", "> A 101 501", "> PA 101 501 10"], states: ["SYN_SENT 120", "invalid", "invalid"] },
  {
    name: "picked up in the middle",
    lines: ["> PA 101 501 10", "< A 501 111", "> PA 111 501 10"],
    states: ["ESTABLISHED 300", "ESTABLISHED 300", "ESTABLISHED 300 assured"],
  },
  { name: "a refused connection leaves nothing", lines: ["> S 100", "< RA 0 101"], states: ["SYN_SENT 120", "kill"] },
  { name: "a repeated SYN does not keep it alive", lines: ["> S 100", "> S 100"], states: ["SYN_SENT 120", "SYN_SENT"] },
  { name: "SYN and FIN together", lines: ["> SF 100"], states: ["none"] },
  { name: "an answer to nothing", lines: ["> SA 100 1"], states: ["none"] },
  { name: "a FIN begins nothing", lines: ["> FA 100 1"], states: ["none"] },
  {
    name: "an ACK of what was never sent",
    lines: ["> S 100", "< SA 500 101", "> A 101 501", "< A 501 99999"],
    states: ["SYN_SENT 120", "SYN_RECV 60", "ESTABLISHED 432000 assured", "invalid"],
  },
  {
    name: "data far beyond the window",
    lines: ["> S 100", "< SA 500 101", "> A 101 501", "> PA 200000 501 10"],
    states: ["SYN_SENT 120", "SYN_RECV 60", "ESTABLISHED 432000 assured", "invalid"],
  },
  {
    name: "a reset ends it",
    lines: ["> S 100", "< SA 500 101", "> A 101 501", "> R 101"],
    states: ["SYN_SENT 120", "SYN_RECV 60", "ESTABLISHED 432000 assured", "CLOSE 10 assured"],
  },
  {
    name: "a new SYN after TIME_WAIT begins again",
    lines: ["> S 100", "< SA 500 101", "> A 101 501", "> FA 101 501", "< FA 501 102", "> A 102 502", "> S 9000"],
    states: ["SYN_SENT 120", "SYN_RECV 60", "ESTABLISHED 432000 assured", "FIN_WAIT 120 assured", "LAST_ACK 30 assured", "TIME_WAIT 120 assured", "repeat"],
  },
  {
    name: "a SYN in an established connection is let through",
    lines: ["> S 100", "< SA 500 101", "> A 101 501", "> S 7000", "< A 501 101"],
    states: ["SYN_SENT 120", "SYN_RECV 60", "ESTABLISHED 432000 assured", "ESTABLISHED assured", "ESTABLISHED 432000 assured"],
  },
])("$name", ({ lines, states }) => {
  expect(play(lines)).toEqual(states);
});

test("tcp_loose 0 picks nothing up, tcp_be_liberal 1 takes what is out of window", () => {
  expect(play(["> PA 101 501 10"], { ...TIMEOUTS, loose: { value: 0 } })).toEqual(["none"]);
  expect(play(["> S 100", "< SA 500 101", "> A 101 501", "> PA 200000 501 10"], { ...TIMEOUTS, beLiberal: { value: 1 } })[3]).toContain("ESTABLISHED");
});
