import { describe, expect, test } from "vitest";
import { FirewallBench } from "./firewall-bench.ts";

function counters(listing: string): string[] {
  return listing
    .split("\n")
    .filter((line) => /^ *\d/.test(line))
    .map((line) => line.trim().split(/ +/).slice(0, 3).join(" "));
}

describe("filter", () => {
  test.each([
    ["-A INPUT -p tcp --dport 80 -j DROP", "silence"],
    ["-A INPUT -p tcp --dport 80 -j REJECT", "ECONNREFUSED"],
    ["-A INPUT -p tcp --dport 80 -j REJECT --reject-with tcp-reset", "ECONNREFUSED"],
    ["-A INPUT -p tcp --dport 80 -j REJECT --reject-with icmp-host-prohibited", "EHOSTUNREACH"],
    ["-A INPUT -p tcp --dport 81 -j DROP", "ok"],
    ["-A INPUT -s 10.0.0.0/24 -j DROP", "silence"],
    ["-A INPUT ! -s 10.0.0.0/24 -j DROP", "ok"],
    ["-A INPUT -i eth+ -p tcp -m multiport --dports 79,80 -j DROP", "silence"],
    ["-A INPUT -i lo -j DROP", "ok"],
    ["-A INPUT -p tcp ! --syn -m state --state NEW -j DROP", "ok"],
    ["-A INPUT -m ttl --ttl-eq 63 -j DROP", "silence"],
    ["-A INPUT -m length --length 60 -j DROP", "silence"],
    ["-A INPUT -m mac --mac-source 02:00:00:00:00:03 -j DROP", "silence"],
    ["-A INPUT -m addrtype ! --dst-type LOCAL -j DROP", "ok"],
    ["-A INPUT -m addrtype --dst-type LOCAL -j DROP", "silence"],
    ["-A INPUT -m statistic --mode nth --every 2 --packet 0 -p tcp --syn -j DROP", "ok"],
    ["-A OUTPUT -p tcp --tcp-flags SYN,ACK SYN,ACK -j DROP", "silence"],
    ["-P INPUT DROP", "silence"],
  ])("iptables %s: %s", (rule, expected) => {
    const bench = new FirewallBench();
    bench.listen(bench.server, 80);
    expect(bench.server.run(`iptables ${rule}`)).toEqual({ exit: 0, stdout: "", stderr: "" });
    expect(bench.fetch(bench.client, "192.168.5.2", 80, 2.5)).toBe(expected);
  });

  test("the RST of a REJECT is the kernel's: id 0, DF, TTL 64, window 0", () => {
    const bench = new FirewallBench();
    bench.server.run("iptables -A INPUT -p tcp --dport 81 -j REJECT --reject-with tcp-reset");
    expect(bench.fetch(bench.client, "192.168.5.2", 81)).toBe("ECONNREFUSED");
    const reset = bench.lab.frames
      .filter(({ host, direction, frame }) => host === "server" && direction === "out" && frame.payload.kind === "ipv4")
      .map(({ frame }) => frame.payload)[0];
    expect(reset).toMatchObject({ kind: "ipv4", id: 0, dontFragment: true, ttl: 64, tos: 0, lengthBytes: 40, payload: { flags: 0x14, window: 0, seq: 0 } });
  });

  test("user chains: jump, goto, return", () => {
    const bench = new FirewallBench();
    for (const rule of ["-N a", "-N b", "-A a -p icmp -j RETURN", "-A a -j DROP", "-A b -j RETURN", "-A INPUT -j a", "-A INPUT -g b", "-A INPUT -j DROP"])
      bench.server.run(`iptables ${rule}`);
    expect(bench.ping(bench.client, "192.168.5.2")).toEqual(["0/0 from 192.168.5.2"]);
    expect(counters(bench.server.run("iptables -nvL").stdout)).toEqual(["1 84 a", "1 84 b", "0 0 DROP", "1 84 RETURN", "0 0 DROP", "1 84 RETURN"]);
    expect(bench.server.run("iptables -nvL INPUT").stdout).toContain("Chain INPUT (policy ACCEPT 1 packets, 84 bytes)");
  });

  test("any change of a table forgets the counters of its policies, not those of its rules", () => {
    const bench = new FirewallBench();
    bench.server.run("iptables -A INPUT -p icmp");
    const input = (): string[] => bench.server.run("iptables -nvL INPUT").stdout.match(/(?<=policy ACCEPT )\d+|^ +\d+(?= )/gm) ?? [];
    bench.ping(bench.client, "192.168.5.2");
    expect(input().map(Number)).toEqual([1, 1]);
    bench.server.run("iptables -X");
    expect(input().map(Number)).toEqual([1, 1]);
    bench.server.run("iptables -A OUTPUT -p tcp");
    expect(input().map(Number)).toEqual([0, 1]);
  });

  test("a stateful firewall lets answers in and nothing else", () => {
    const bench = new FirewallBench();
    bench.listen(bench.server, 80);
    bench.listen(bench.client, 80);
    for (const rule of ["-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT", "-A INPUT -j DROP"]) bench.client.run(`iptables ${rule}`);
    expect(bench.fetch(bench.client, "192.168.5.2", 80)).toBe("ok");
    expect(bench.fetch(bench.server, "10.0.0.9", 80)).toBe("silence");
    expect(bench.ping(bench.client, "192.168.5.99", 4)).toContain("3/1 from 10.0.0.1");
    expect(bench.ping(bench.server, "10.0.0.9")).toEqual([]);
  });

  test("OUTPUT: DROP is EPERM for ping, REJECT tells the sender as well", () => {
    const bench = new FirewallBench();
    bench.server.run("iptables -A OUTPUT -d 10.0.0.0/24 -p icmp --icmp-type echo-request -j REJECT");
    expect(bench.ping(bench.server, "10.0.0.9")).toEqual(["EPERM", "3/3 from 192.168.5.2"]);
  });

  test("limit is a token bucket in simulated time", () => {
    const bench = new FirewallBench();
    bench.server.run("iptables -A INPUT -p icmp -m limit --limit 30/min --limit-burst 2 -j ACCEPT");
    bench.server.run("iptables -A INPUT -p icmp -j DROP");
    expect(bench.ping(bench.client, "192.168.5.2", 8)).toHaveLength(5);
  });

  test("recent blocks the fourth knock", () => {
    const bench = new FirewallBench();
    bench.server.run("iptables -A INPUT -p icmp -m recent --name p --update --seconds 60 --hitcount 3 -j DROP");
    bench.server.run("iptables -A INPUT -p icmp -m recent --name p --set -j ACCEPT");
    expect(bench.ping(bench.client, "192.168.5.2", 6)).toHaveLength(3);
  });

  test("LOG writes the kernel's line", () => {
    const bench = new FirewallBench();
    bench.router.run("iptables -A FORWARD -p tcp --syn -j LOG --log-prefix 'fw: '");
    bench.fetch(bench.client, "192.168.5.2", 80);
    expect(bench.router.host.log.lines.map(({ text }) => text.replace(/ID=\d+|SPT=\d+/g, "N"))[0]).toBe(
      "fw: IN=eth0 OUT=eth1 MAC=02:00:00:00:00:02:02:00:00:00:00:01:08:00 SRC=10.0.0.9 DST=192.168.5.2 LEN=60 TOS=0x00 PREC=0x00 TTL=63 N DF PROTO=TCP N DPT=80 WINDOW=64240 RES=0x00 SYN URGP=0 ",
    );
  });

  test("drops are traced with their rule", () => {
    const bench = new FirewallBench();
    bench.router.run("iptables -A FORWARD -p icmp -d 192.168.5.2 -j DROP");
    expect(bench.ping(bench.client, "192.168.5.2")).toEqual([]);
    const drops = bench.lab.sink.events.filter((event) => event.kind === "packet-dropped");
    expect(drops).toMatchObject([{ host: "router", reason: "NETFILTER_DROP", detail: "filter: -A FORWARD -d 192.168.5.2/32 -p icmp -j DROP" }]);
  });
});

describe("mangle", () => {
  test("MARK in OUTPUT routes again", () => {
    const bench = new FirewallBench();
    const { host } = bench.client;
    host.fib.addRule({ ...host.fib.rules[1], priority: 100, mark: 7, markMask: 0xffffffff, action: "blackhole", table: 0 } as never);
    expect(bench.ping(bench.client, "192.168.5.2")).toEqual(["0/0 from 192.168.5.2"]);
    bench.client.run("iptables -t mangle -A OUTPUT -p icmp -j MARK --set-mark 7");
    expect(bench.ping(bench.client, "192.168.5.2")).toEqual(["EPERM"]);
  });

  test("TCPMSS clamps what passes", () => {
    const bench = new FirewallBench();
    bench.listen(bench.server, 80);
    bench.router.run("iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1000");
    expect(bench.fetch(bench.client, "192.168.5.2", 80)).toBe("ok");
    expect(bench.lab.dump("server", "eth0", "in").some((line) => line.includes("mss 1000"))).toBe(true);
  });

  test("TTL and TOS", () => {
    const bench = new FirewallBench();
    bench.router.run("iptables -t mangle -A POSTROUTING -o eth1 -j TTL --ttl-set 7");
    bench.router.run("iptables -t mangle -A POSTROUTING -o eth1 -j DSCP --set-dscp 10");
    bench.server.run("iptables -A INPUT -m ttl --ttl-eq 7 -m dscp --dscp 10 -j ACCEPT");
    bench.server.run("iptables -A INPUT -j DROP");
    expect(bench.ping(bench.client, "192.168.5.2")).toEqual(["0/0 from 192.168.5.2"]);
  });

  test("CONNMARK keeps a mark for the connection", () => {
    const bench = new FirewallBench();
    bench.router.run("iptables -t mangle -A PREROUTING -i eth0 -j MARK --set-mark 3");
    bench.router.run("iptables -t mangle -A PREROUTING -i eth0 -j CONNMARK --save-mark");
    bench.router.run("iptables -t mangle -A PREROUTING -i eth1 -j CONNMARK --restore-mark");
    bench.router.run("iptables -A FORWARD -i eth1 -m mark ! --mark 3 -j DROP");
    expect(bench.ping(bench.client, "192.168.5.2")).toEqual(["0/0 from 192.168.5.2"]);
    expect(bench.router.run("conntrack -L").stdout).toContain("mark=3 use=1");
  });
});
