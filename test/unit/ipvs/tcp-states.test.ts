import { expect, test } from "vitest";
import { nextTcpState, TCP_STATE_NAMES } from "../../../src/ipvs/tcp-states.ts";
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN } from "../../../src/wire/packet.ts";

const FLAGS: Readonly<Record<string, number>> = { S: TCP_SYN, "S.": TCP_SYN | TCP_ACK, ".": TCP_ACK, "P.": TCP_PSH | TCP_ACK, "F.": TCP_FIN | TCP_ACK, R: TCP_RST, "R.": TCP_RST | TCP_ACK, SF: TCP_SYN | TCP_FIN, P: TCP_PSH };

/** `c` a packet of the client, `s` of the server, in the director's eyes. */
function checkLife({ packets, isSeen, states, isSecure }: { packets: string; isSeen: boolean; states: string; isSecure?: boolean }) {
  let state = 0;
  let hidesOutput = !isSeen;
  const passed = packets.split(" ").map((packet) => {
    const isFromServer = packet[0] === "s";
    if (isFromServer) hidesOutput = false;
    state = nextTcpState(isFromServer ? 1 : hidesOutput ? 2 : 0, state, FLAGS[packet.slice(1)] as number, isSecure ?? false);
    return TCP_STATE_NAMES[state];
  });
  expect(passed.join(" ")).toBe(states);
}

test.each([
  { name: "NAT, the client closes first", isSeen: true, packets: "cS sS. c. cP. sP. cF. sF. c.", states: "SYN_RECV SYN_RECV ESTABLISHED ESTABLISHED ESTABLISHED CLOSE_WAIT TIME_WAIT TIME_WAIT" },
  { name: "NAT, the server closes first", isSeen: true, packets: "cS sS. c. sF. c. cF. s.", states: "SYN_RECV SYN_RECV ESTABLISHED FIN_WAIT FIN_WAIT TIME_WAIT TIME_WAIT" },
  { name: "DR: the director sees only the client", isSeen: false, packets: "cS c. cP. cF. c.", states: "SYN_RECV ESTABLISHED ESTABLISHED FIN_WAIT FIN_WAIT" },
  { name: "DR whose replies come through after all", isSeen: false, packets: "cS sS. c. cF. sF. c.", states: "SYN_RECV SYN_RECV ESTABLISHED CLOSE_WAIT TIME_WAIT TIME_WAIT" },
  { name: "a reset of a half-open connection", isSeen: false, packets: "cS cR", states: "SYN_RECV SYN_RECV" },
  { name: "a reset of an open connection", isSeen: false, packets: "cS c. cR.", states: "SYN_RECV ESTABLISHED CLOSE" },
  { name: "a server that refuses, NAT", isSeen: true, packets: "cS sR.", states: "SYN_RECV CLOSE" },
  { name: "a new SYN on a closed entry", isSeen: false, packets: "cS c. cF. cS", states: "SYN_RECV ESTABLISHED FIN_WAIT SYN_RECV" },
  { name: "SYN beats FIN", isSeen: true, packets: "cSF", states: "SYN_RECV" },
  { name: "no flag that counts", isSeen: true, packets: "cS cP", states: "SYN_RECV CLOSE" },
  { name: "secure_tcp: a half-open DR connection is SYNACK", isSeen: false, isSecure: true, packets: "cS c.", states: "SYNACK ESTABLISHED" },
])("$name: $packets -> $states", checkLife);
