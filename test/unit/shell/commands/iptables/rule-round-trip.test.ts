/** What -S prints makes the same rule again. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { Laboratory } from "../../../host/two-hosts.ts";
import { BenchMachine } from "./bench-machine.ts";

const port = fc.integer({ min: 0, max: 65535 });
const address = fc.tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.nat(255)).map((octets) => octets.join("."));
const not = fc.constantFrom("", "! ");
const ports = fc.oneof(
  port.map(String),
  fc.tuple(port, port).map(([a, b]) => `${Math.min(a, b)}:${Math.max(a, b)}`),
);
const mark = fc
  .tuple(fc.nat(0xffffffff), fc.option(fc.nat(0xffffffff), { nil: undefined }))
  .map(([value, mask]) => (mask === undefined ? `${value}` : `0x${value.toString(16)}/0x${mask.toString(16)}`));

const protocolPart = fc.oneof(
  fc.constant(""),
  fc.tuple(fc.constantFrom("tcp", "udp"), not, ports, not, ports).map(([name, a, sport, b, dport]) => ` -p ${name} ${a}--sport ${sport} ${b}--dport ${dport}`),
  fc.tuple(not, fc.constantFrom("SYN,RST SYN", "ALL NONE", "FIN,ACK FIN")).map(([a, flags]) => ` -p tcp ${a}--tcp-flags ${flags}`),
  fc.tuple(not, fc.constantFrom("echo-request", "3/4", "11", "any", "redirect")).map(([a, type]) => ` -p icmp ${a}--icmp-type ${type}`),
  fc.tuple(not, fc.array(port, { minLength: 1, maxLength: 15 })).map(([a, list]) => ` -p udp -m multiport ${a}--dports ${list.join(",")}`),
);
const matchPart = fc.oneof(
  fc.tuple(not, fc.subarray(["NEW", "ESTABLISHED", "RELATED", "INVALID"], { minLength: 1 })).map(([a, states]) => ` -m state ${a}--state ${states.join(",")}`),
  fc.tuple(not, mark).map(([a, value]) => ` -m mark ${a}--mark ${value}`),
  fc.tuple(not, address, not, address).map(([a, src, b, dst]) => ` -m conntrack ${a}--ctorigsrc ${src} ${b}--ctorigdst ${dst}/16`),
  fc
    .tuple(fc.integer({ min: 1, max: 1000 }), fc.constantFrom("sec", "min", "hour"), fc.integer({ min: 1, max: 20 }))
    .map(([count, unit, burst]) => ` -m limit --limit ${count}/${unit} --limit-burst ${burst}`),
  fc.tuple(not, port, port).map(([a, x, y]) => ` -m length ${a}--length ${Math.min(x, y)}:${Math.max(x, y)}`),
  fc.string({ unit: fc.constantFrom("a", "b", " ", ".", "-", "#"), maxLength: 12 }).map((text) => ` -m comment --comment "${text}"`),
  fc.tuple(not, fc.nat(63)).map(([a, value]) => ` -m dscp ${a}--dscp ${value}`),
  fc.tuple(not, address, address).map(([a, from, to]) => ` -m iprange ${a}--src-range ${from}-${to}`),
);
const targetPart = fc.oneof(
  fc.constantFrom(
    "",
    " -j ACCEPT",
    " -j DROP",
    " -j RETURN",
    " -j other",
    " -g other",
    " -j LOG --log-prefix 'a b: '",
    " -j REJECT --reject-with icmp-host-prohibited",
  ),
  mark.map((value) => ` -j MARK --set-xmark ${value}`),
  mark.map((value) => ` -j CONNMARK --set-mark ${value}`),
);
const devices = fc.tuple(not, fc.constantFrom("eth0", "eth+", "lo")).map(([a, name]) => ` ${a}-i ${name}`);
const sides = fc
  .tuple(not, address, fc.integer({ min: 1, max: 32 }), fc.constantFrom("-s", "-d"))
  .map(([a, text, length, side]) => ` ${a}${side} ${text}/${length}`);

test("-S, fed to iptables-restore, gives the same -S", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.oneof(fc.constant(""), sides), fc.oneof(fc.constant(""), devices), protocolPart, fc.array(matchPart, { maxLength: 3 }), targetPart),
        { minLength: 1, maxLength: 8 },
      ),
      (rules) => {
        const machine = new BenchMachine(new Laboratory().host("host"));
        machine.run("iptables -N other");
        let accepted = 0;
        for (const [side, device, protocol, matches, target] of rules)
          if (machine.run(`iptables -A INPUT${side}${device}${protocol}${matches.join("")}${target}`).exit === 0) accepted++;
        const printed = machine.run("iptables -S INPUT").stdout;
        const saved = machine.run("iptables-save").stdout;
        const again = new BenchMachine(new Laboratory().host("host"));
        expect(again.run("iptables-restore", saved)).toMatchObject({ exit: 0, stdout: "" });
        expect(again.run("iptables -S INPUT").stdout).toBe(printed);
        const lines = printed.trim().split("\n").slice(1);
        expect(lines).toHaveLength(accepted);
        for (const line of lines) expect(again.run(`iptables ${line.replace("-A", "-C")}`).exit).toBe(0);
      },
    ),
    { numRuns: 200 },
  );
});
