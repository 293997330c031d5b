/**
 * Counters as Linux 6.1.176 counted them: what `nstat` printed there after each of these steps, word by word.
 */

import { describe, expect, test } from "vitest";
import { LINUX_PARTS } from "../../../src/scenario/linux-parts.ts";
import { ScenarioRun } from "../../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";

interface Counted {
  readonly what: string;
  readonly host: string;
  /** When nstat is typed. */
  readonly atSeconds: number;
  readonly counters: string;
}

const NAT = `
title: IPVS-NAT
hosts:
  c: { interfaces: { eth0: { link: front, address: 10.1.0.9/24 } }, gateway: 10.1.0.1 }
  d:
    interfaces: { eth0: { link: front, address: 10.1.0.1/24 }, eth1: { link: back, address: 10.2.0.1/24 } }
    forward: true
    run: |
      ipvsadm -A -t 10.1.0.1:80 -s rr
      ipvsadm -a -t 10.1.0.1:80 -r 10.2.0.11 -m
      ipvsadm -a -t 10.1.0.1:80 -r 10.2.0.12 -m
  s: { interfaces: { eth0: { link: back, address: 10.2.0.11/24 } }, gateway: 10.2.0.1, run: service httpd start }
  z: { interfaces: { eth0: { link: back, address: 10.2.0.12/24 } }, gateway: 10.2.0.1, run: service httpd start }
timeline:
  - { at: 3s, host: c, run: "ping -c 3 -i 0.2 10.1.0.1" }
  - { at: 5s, host: c, run: "curl -s http://10.1.0.1/; curl -s http://10.1.0.1/" }
  - { at: 8s, host: c, run: "ab -n 20 -c 2 http://10.1.0.1/" }
  - { at: 11.5s, host: c, run: "nstat -n" }
  - { at: 11.5s, host: d, run: "nstat -n" }
  - { at: 12s, host: c, run: "curl -s http://10.1.0.1:81/" }
  - { at: 20s, host: c, run: "ping -c 1 -W 1 -t 1 10.2.0.11; ping -c 1 -s 3000 10.2.0.11; ping -c 1 -W 1 192.0.2.7; ping -c 1 -M do -s 1472 10.2.0.11" }
  - { at: 25s, host: d, run: "sysctl -qw net.ipv4.conf.eth0.rp_filter=1; nstat -n" }
  - { at: 26s, host: c, run: "ip addr add 10.2.0.77/32 dev lo; ping -c 2 -i 0.2 -W 1 -I 10.2.0.77 10.1.0.1" }
`;

const NAT_COUNTED: readonly Counted[] = [
  {
    what: "three pings", host: "c", atSeconds: 4.5,
    counters:
      "IpInReceives 3, IpInDelivers 3, IpOutRequests 3, IcmpInMsgs 3, IcmpInEchoReps 3, IcmpOutMsgs 3, IcmpOutEchos 3, IcmpMsgInType0 3, " +
      "IcmpMsgOutType8 3, IpExtInOctets 252, IpExtOutOctets 252, IpExtInNoECTPkts 3",
  },
  {
    what: "three pings", host: "d", atSeconds: 4.5,
    counters:
      "IpInReceives 3, IpInDelivers 3, IpOutRequests 3, IcmpInMsgs 3, IcmpInEchos 3, IcmpOutMsgs 3, IcmpOutEchoReps 3, IcmpMsgInType8 3, " +
      "IcmpMsgOutType0 3, IpExtInOctets 252, IpExtOutOctets 252, IpExtInNoECTPkts 3",
  },
  {
    what: "two requests by curl", host: "c", atSeconds: 7,
    counters:
      "IpInReceives 8, IpInDelivers 8, IpOutRequests 12, TcpActiveOpens 2, TcpInSegs 8, TcpOutSegs 12, TcpExtTW 2, TcpExtTCPPureAcks 2, " +
      "TcpExtTCPOrigDataSent 4, TcpExtTCPDelivered 6, IpExtInOctets 846, IpExtOutOctets 784, IpExtInNoECTPkts 8",
  },
  {
    what: "two requests by curl", host: "d", atSeconds: 7,
    counters:
      "IpInReceives 20, IpForwDatagrams 8, IpOutRequests 20, IpExtInOctets 1630, IpExtOutOctets 2476, IpExtInNoECTPkts 20",
  },
  {
    what: "two requests by curl", host: "s", atSeconds: 7,
    counters:
      "IpInReceives 6, IpInDelivers 6, IpOutRequests 4, TcpPassiveOpens 1, TcpInSegs 6, TcpOutSegs 4, TcpExtTCPPureAcks 2, " +
      "TcpExtTCPDeferAcceptDrop 1, TcpExtTCPOrigDataSent 2, TcpExtTCPDelivered 2, IpExtInOctets 392, IpExtOutOctets 423, " +
      "IpExtInNoECTPkts 6",
  },
  {
    what: "ten requests by ab", host: "s", atSeconds: 11,
    counters:
      "IpInReceives 50, IpInDelivers 50, IpOutRequests 50, TcpPassiveOpens 10, TcpInSegs 50, TcpOutSegs 50, TcpExtTW 10, " +
      "TcpExtTCPPureAcks 10, TcpExtTCPDeferAcceptDrop 10, TcpExtTCPOrigDataSent 20, TcpExtTCPDelivered 20, IpExtInOctets 3440, " +
      "IpExtOutOctets 4940, IpExtInNoECTPkts 50",
  },
  {
    what: "a refused connection", host: "c", atSeconds: 13,
    counters:
      "IpInReceives 1, IpInDelivers 1, IpOutRequests 1, TcpActiveOpens 1, TcpAttemptFails 1, TcpInSegs 1, TcpOutSegs 1, IpExtInOctets 40, " +
      "IpExtOutOctets 60, IpExtInNoECTPkts 1",
  },
  {
    what: "a refused connection", host: "d", atSeconds: 13,
    counters:
      "IpInReceives 1, IpInDelivers 1, IpOutRequests 1, TcpInSegs 1, TcpOutSegs 1, TcpOutRsts 1, IpExtInOctets 60, IpExtOutOctets 40, " +
      "IpExtInNoECTPkts 1",
  },
  {
    what: "TTL, fragments, no route", host: "c", atSeconds: 24,
    counters:
      "IpInReceives 6, IpInDelivers 4, IpOutRequests 4, IpReasmReqds 3, IpReasmOKs 1, IpFragOKs 1, IpFragCreates 3, IcmpInMsgs 4, " +
      "IcmpInDestUnreachs 1, IcmpInTimeExcds 1, IcmpInEchoReps 2, IcmpOutMsgs 4, IcmpOutEchos 4, IcmpMsgInType0 2, IcmpMsgInType3 1, " +
      "IcmpMsgInType11 1, IcmpMsgOutType8 4, IpExtInOctets 4792, IpExtOutOctets 4696, IpExtInNoECTPkts 6",
  },
  {
    what: "TTL, fragments, no route", host: "d", atSeconds: 24,
    counters:
      "IpInReceives 10, IpInHdrErrors 1, IpForwDatagrams 4, IpOutRequests 6, IpReasmReqds 6, IpReasmOKs 2, IpFragOKs 2, IpFragCreates 6, " +
      "IcmpOutMsgs 2, IcmpOutDestUnreachs 1, IcmpOutTimeExcds 1, IcmpMsgOutType3 1, IcmpMsgOutType11 1, IpExtInNoRoutes 1, " +
      "IpExtInOctets 9304, IpExtOutOctets 18336, IpExtInNoECTPkts 10",
  },
  {
    what: "TTL, fragments, no route", host: "s", atSeconds: 24,
    counters:
      "IpInReceives 4, IpInDelivers 2, IpOutRequests 2, IpReasmReqds 3, IpReasmOKs 1, IpFragOKs 1, IpFragCreates 3, IcmpInMsgs 2, " +
      "IcmpInEchos 2, IcmpOutMsgs 2, IcmpOutEchoReps 2, IcmpMsgInType8 2, IcmpMsgOutType0 2, IpExtInOctets 4568, IpExtOutOctets 4528, " +
      "IpExtInNoECTPkts 4",
  },
  {
    what: "a source from behind", host: "d", atSeconds: 28,
    counters:
      "IpInReceives 2, TcpExtIPReversePathFilter 2, IpExtInOctets 168, IpExtInNoECTPkts 2",
  },
];

const TWO = `
title: two hosts
hosts:
  a: { interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } } }
  b:
    interfaces: { eth0: { link: lan, address: 10.0.0.2/24 } }
    run: |
      nc -l -k -p 7003 > /tmp/got3 2> /dev/null &
      nc -l -k -p 7004 > /tmp/got4 2> /dev/null &
      nc -l -k -u -p 7005 > /tmp/got5 2> /dev/null &
timeline:
  - { at: 1s, host: a, run: "ping -c 1 10.0.0.2; nstat -n" }
  - { at: 2s, host: b, run: "nstat -n" }
  - { at: 6s, host: a, run: "(echo one; sleep 3; echo two; sleep 5) | timeout 10 nc -N 10.0.0.2 7003" }
  - { at: 8s, down: b }
  - { at: 12s, up: b }
  - { at: 24s, host: a, run: "nc -p 5555 -N 10.0.0.2 7004 < /dev/null; sleep 2; nc -p 5555 -N 10.0.0.2 7004 < /dev/null; echo hello | nc -u -w 1 10.0.0.2 7005; echo hello | nc -u -w 1 10.0.0.2 7006" }
  - { at: 36s, host: a, run: "curl -s -m 5 http://10.0.0.99/" }
`;

const TWO_COUNTED: readonly Counted[] = [
  {
    what: "an outage of four seconds", host: "a", atSeconds: 20,
    counters:
      "IpInReceives 4, IpInDelivers 4, IpOutRequests 11, TcpActiveOpens 1, TcpInSegs 4, TcpOutSegs 6, TcpRetransSegs 5, TcpExtTW 1, " +
      "TcpExtTCPPureAcks 1, TcpExtTCPHPAcks 1, TcpExtTCPLostRetransmit 3, TcpExtTCPTimeouts 4, TcpExtTCPLossProbes 1, " +
      "TcpExtTCPOrigDataSent 3, TcpExtTCPDelivered 4, TcpExtTcpTimeoutRehash 4, IpExtInOctets 216, IpExtOutOctets 608, IpExtInNoECTPkts 4",
  },
  {
    what: "an outage of four seconds", host: "b", atSeconds: 20,
    counters:
      "IpInReceives 6, IpInDelivers 6, IpOutRequests 4, TcpPassiveOpens 1, TcpInSegs 6, TcpOutSegs 4, TcpExtTCPPureAcks 2, " +
      "TcpExtTCPOrigDataSent 1, TcpExtTCPDelivered 1, IpExtInOctets 328, IpExtOutOctets 216, IpExtInNoECTPkts 6",
  },
  {
    what: "a port in TIME_WAIT used again, datagrams to an open and a closed port", host: "a", atSeconds: 34,
    counters:
      "IpInReceives 3, IpInDelivers 3, IpOutRequests 6, IcmpInMsgs 1, IcmpInDestUnreachs 1, IcmpMsgInType3 1, TcpActiveOpens 1, " +
      "TcpInSegs 2, TcpOutSegs 4, UdpOutDatagrams 2, TcpExtTW 1, TcpExtTCPOrigDataSent 1, TcpExtTCPDelivered 2, IpExtInOctets 174, " +
      "IpExtOutOctets 284, IpExtInNoECTPkts 3",
  },
  {
    what: "a port in TIME_WAIT used again, datagrams to an open and a closed port", host: "b", atSeconds: 34,
    counters:
      "IpInReceives 6, IpInDelivers 6, IpOutRequests 3, IcmpOutMsgs 1, IcmpOutDestUnreachs 1, IcmpMsgOutType3 1, TcpPassiveOpens 1, " +
      "TcpInSegs 4, TcpOutSegs 2, UdpInDatagrams 1, UdpNoPorts 1, TcpExtTCPPureAcks 2, TcpExtTCPOrigDataSent 1, TcpExtTCPDelivered 1, " +
      "IpExtInOctets 284, IpExtOutOctets 174, IpExtInNoECTPkts 6",
  },
  {
    what: "nobody answers ARP", host: "a", atSeconds: 44,
    counters:
      "IpInReceives 2, IpInDelivers 2, IpOutRequests 4, IcmpInMsgs 2, IcmpInErrors 1, IcmpInDestUnreachs 2, IcmpOutMsgs 2, " +
      "IcmpOutDestUnreachs 2, IcmpMsgInType3 2, IcmpMsgOutType3 2, TcpActiveOpens 1, TcpAttemptFails 1, TcpOutSegs 1, TcpRetransSegs 1, " +
      "TcpExtTCPTimeouts 2, TcpExtTCPSpuriousRtxHostQueues 1, TcpExtTCPSynRetrans 1, TcpExtTcpTimeoutRehash 2, IpExtInOctets 176, " +
      "IpExtOutOctets 296, IpExtInNoECTPkts 2",
  },
];

/** What nstat says at each of the moments. */
function countersOf(scenario: string, counted: readonly Counted[]): string[] {
  const steps = counted.map(({ host, atSeconds }) => `  - { at: ${atSeconds}s, host: ${host}, run: "nstat" }\n`).join("");
  const run = new ScenarioRun(parseScenario(scenario + steps, "counters.yaml"), { parts: LINUX_PARTS, traceLevel: "off" });
  const { timeline } = run.run();
  return timeline.slice(-counted.length).map(({ stdout }) =>
    stdout
      .split("\n")
      .slice(1, -1)
      .map((row) => row.trim().split(/\s+/).slice(0, 2).join(" "))
      .join(", "),
  );
}

describe.each([
  { scenario: NAT, counted: NAT_COUNTED, name: "IPVS-NAT" },
  { scenario: TWO, counted: TWO_COUNTED, name: "two hosts" },
])("$name", ({ scenario, counted }) => {
  const counters = countersOf(scenario, counted);
  test.each(counted.map((one, index) => ({ ...one, index })))("after $what, on $host: every counter is the kernel's", ({ index, counters: expected }) => {
    expect(counters[index]).toBe(expected);
  });
});
