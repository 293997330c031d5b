import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Connection } from "../../../../src/host/netfilter/connection.ts";
import { Conntrack } from "../../../../src/host/netfilter/conntrack.ts";
import { Nat, type NatRange, rewrite } from "../../../../src/host/netfilter/nat.ts";
import { Tuple } from "../../../../src/host/netfilter/tuple.ts";
import { Ipv4Packet, TcpSegment } from "../../../../src/wire/packet.ts";
import { Laboratory } from "../two-hosts.ts";
import { FirewallBench } from "./firewall-bench.ts";

function entries(listing: string): string[] {
  return listing
    .split("\n")
    .filter((line) => line !== "")
    .map((line) =>
      line
        .replace(/^(\w+) +(\d+) \d+/, "$1 $2")
        .replace(/([sd]port|id)=(\d{5}|\d{4})\b/g, (whole, key: string, port: string) => (port === "8080" ? whole : `${key}=N`)),
    );
}

describe("NAT on a router", () => {
  test("MASQUERADE: TCP, ping and errors", () => {
    const bench = new FirewallBench();
    const peers = bench.listen(bench.server, 80);
    expect(bench.router.run("iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE").exit).toBe(0);
    expect(bench.fetch(bench.client, "192.168.5.2", 80)).toBe("ok");
    expect(peers).toEqual(["192.168.5.1"]);
    expect(bench.ping(bench.client, "192.168.5.2", 2)).toEqual(["0/0 from 192.168.5.2", "0/0 from 192.168.5.2"]);
    expect(bench.ping(bench.client, "192.168.5.77", 4)).toContain("3/1 from 192.168.5.1");
    const list = bench.router.run("conntrack -L");
    expect(list.stderr).toBe("conntrack v1.4.7 (conntrack-tools): 3 flow entries have been shown.\n");
    expect(entries(list.stdout)).toEqual([
      "tcp 6 TIME_WAIT src=10.0.0.9 dst=192.168.5.2 sport=N dport=80 src=192.168.5.2 dst=192.168.5.1 sport=80 dport=N [ASSURED] mark=0 use=1",
      expect.stringMatching(/^icmp 1 src=10.0.0.9 dst=192.168.5.2 type=8 code=0 id=\w+ src=192.168.5.2 dst=192.168.5.1 type=0 code=0 id=\w+ mark=0 use=1$/),
      expect.stringMatching(
        /^icmp 1 src=10.0.0.9 dst=192.168.5.77 type=8 code=0 id=\w+ \[UNREPLIED\] src=192.168.5.77 dst=192.168.5.1 type=0 code=0 id=\w+ mark=0 use=1$/,
      ),
    ]);
    expect(bench.router.run("iptables -t nat -nvL POSTROUTING").stdout).toMatch(/ 6 +444 MASQUERADE| 3 +\d+ MASQUERADE/);
  });

  test("an ICMP error from behind the NAT reaches the client with its own packet quoted", () => {
    const bench = new FirewallBench();
    bench.router.run("iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE");
    const errors: string[] = [];
    const socket = bench.client.host.udp.bind({ address: 0, port: 0 }, { onDatagram: () => undefined, onError: (errno) => errors.push(errno) });
    if (typeof socket === "string") throw new Error(socket);
    socket.connect(0xc0a80502, 9);
    socket.send(new Uint8Array(4));
    bench.lab.run(1);
    expect(errors).toEqual(["ECONNREFUSED"]);
    const line = bench.lab.dump("client", "eth0", "in").find((text) => text.includes("unreachable"));
    expect(line).toContain("192.168.5.2 > 10.0.0.9: ICMP 192.168.5.2 udp port 9 unreachable");
  });

  test("DNAT with a port, REDIRECT, DNAT in OUTPUT", () => {
    const bench = new FirewallBench();
    const peers = bench.listen(bench.server, 80);
    bench.listen(bench.router, 3128);
    bench.router.run("iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to 192.168.5.2:80");
    bench.router.run("iptables -t nat -A PREROUTING -p tcp -d 203.0.113.5 -j REDIRECT --to-ports 3128");
    bench.router.run("iptables -t nat -A OUTPUT -p tcp --dport 8081 -j DNAT --to 192.168.5.2:80");
    expect(bench.fetch(bench.client, "10.0.0.1", 8080)).toBe("ok");
    expect(bench.fetch(bench.client, "203.0.113.5", 80)).toBe("ok");
    expect(bench.fetch(bench.router, "10.0.0.9", 8081)).toBe("ok");
    // A packet that OUTPUT sends elsewhere keeps the source that its first route chose.
    expect(peers).toEqual(["10.0.0.9", "10.0.0.1"]);
  });

  test("two clients' ports that clash: the second gets another one", () => {
    const bench = new FirewallBench();
    bench.router.run("iptables -t nat -A POSTROUTING -p udp -j SNAT --to-source 192.168.5.1");
    const seen: number[] = [];
    bench.server.host.udp.bind({ address: 0, port: 53 }, { onDatagram: (_payload, from) => seen.push(from.port), onError: () => undefined });
    const second = bench.lab.host("second", { eth0: "out 10.0.0.8/24" }, "10.0.0.1");
    for (const host of [bench.client.host, second]) {
      const socket = host.udp.bind({ address: 0, port: 4000 }, { onDatagram: () => undefined, onError: () => undefined });
      if (typeof socket !== "string") socket.send(new Uint8Array(1), { address: 0xc0a80502, port: 53 });
      bench.lab.run(1);
    }
    expect(seen[0]).toBe(4000);
    expect(seen[1]).toBeGreaterThan(1023);
    expect(seen[1]).not.toBe(4000);
  });

  test("a nat table without a NAT rule translates and tracks nothing", () => {
    const bench = new FirewallBench();
    bench.router.run("iptables -t nat -L");
    expect(bench.ping(bench.client, "192.168.5.2")).toHaveLength(1);
    expect(bench.router.host.conntrack.isEnabled).toBe(false);
    expect(bench.router.run("iptables -t nat -nvL PREROUTING").stdout).toContain("policy ACCEPT 0 packets");
    bench.router.run("iptables -A FORWARD -m state --state NEW");
    bench.ping(bench.client, "192.168.5.2");
    expect(bench.router.run("iptables -t nat -nvL PREROUTING").stdout).toContain("policy ACCEPT 1 packets, 84 bytes");
    bench.router.run("iptables -F");
    expect(bench.router.host.conntrack.isEnabled).toBe(false);
  });

  test("the RST of a REJECT goes through the nat table with the connection that it ends", () => {
    const bench = new FirewallBench();
    bench.router.run("iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE");
    bench.router.run("iptables -A FORWARD -p tcp --dport 99 -j REJECT --reject-with tcp-reset");
    expect(bench.fetch(bench.client, "192.168.5.2", 99)).toBe("ECONNREFUSED");
    expect(bench.router.run("iptables -t nat -nvL POSTROUTING").stdout).toContain("policy ACCEPT 1 packets, 40 bytes");
    expect(bench.router.run("conntrack -C").stdout).toBe("0\n");
  });

  test("SNAT in INPUT: the server sees another client", () => {
    const bench = new FirewallBench();
    const peers = bench.listen(bench.server, 80);
    bench.server.run("iptables -t nat -A PREROUTING -p tcp --dport 8888 -j REDIRECT --to-ports 80");
    bench.server.run("iptables -t nat -A INPUT -p tcp --dport 80 -j SNAT --to-source 192.168.5.77");
    expect(bench.fetch(bench.client, "192.168.5.2", 8888)).toBe("ok");
    expect(peers).toEqual(["192.168.5.77"]);
    expect(bench.server.run("conntrack -L").stdout).toMatch(
      /TIME_WAIT src=10.0.0.9 dst=192.168.5.2 sport=(\d+) dport=8888 src=192.168.5.2 dst=192.168.5.77 sport=80 dport=\1 \[ASSURED\]/,
    );
  });

  test("NOTRACK keeps NAT away", () => {
    const bench = new FirewallBench();
    const peers = bench.listen(bench.server, 80);
    bench.router.run("iptables -t nat -A POSTROUTING -j MASQUERADE");
    bench.router.run("iptables -t raw -A PREROUTING -p tcp -j NOTRACK");
    expect(bench.fetch(bench.client, "192.168.5.2", 80)).toBe("ok");
    expect(peers).toEqual(["10.0.0.9"]);
  });

  test("fragments are put together for NAT and cut again", () => {
    const bench = new FirewallBench();
    bench.router.run("iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE");
    const heard: number[] = [];
    const socket = bench.client.host.icmp.openEcho((packet) => heard.push(packet.lengthBytes));
    socket.send({ destination: 0xc0a80502, sequence: 1, payload: new Uint8Array(3000) });
    bench.lab.run(1);
    expect(heard).toEqual([3028]);
  });
});

const ADDRESS = fc.integer({ min: 0x01000000, max: 0xdfffffff });
const PORT = fc.integer({ min: 1, max: 65535 });

test("what NAT does to a packet, the other direction undoes", () => {
  const lab = new Laboratory();
  const host = lab.host("h");
  const conntrack = new Conntrack(host);
  const nat = new Nat(host, conntrack);
  fc.assert(
    fc.property(
      ADDRESS,
      ADDRESS,
      PORT,
      PORT,
      ADDRESS,
      fc.option(PORT, { nil: undefined }),
      ADDRESS,
      fc.boolean(),
      (src, dst, srcPort, dstPort, newSrc, newPort, newDst, isUdp) => {
        const original = new Tuple();
        Object.assign(original, { protocol: isUdp ? 17 : 6, src, dst, srcPort, dstPort });
        const connection = new Connection(original, original.inverted() as Tuple);
        const range = (address: number, port?: number): NatRange => ({
          addresses: { min: address, max: address },
          ports: port === undefined ? undefined : { min: port, max: port },
          isRandom: false,
          isFullyRandom: false,
          isPersistent: false,
        });
        nat.setup(connection, range(newDst, newPort), "destination");
        nat.setup(connection, range(newSrc), "source");
        const forward = new Ipv4Packet(src, dst, 6, 64, new TcpSegment(srcPort, dstPort, 1, 1, 16, 1));
        const target = connection.reply.inverted() as Tuple;
        rewrite(forward, "destination", target);
        rewrite(forward, "source", target);
        const segment = forward.payload as TcpSegment;
        expect([forward.src, forward.dst, segment.dstPort]).toEqual([newSrc, newDst, newPort ?? dstPort]);
        const back = new Ipv4Packet(forward.dst, forward.src, 6, 64, new TcpSegment(segment.dstPort, segment.srcPort, 1, 1, 16, 1));
        const home = connection.original.inverted() as Tuple;
        rewrite(back, "destination", home);
        rewrite(back, "source", home);
        const answer = back.payload as TcpSegment;
        expect([back.src, back.dst, answer.srcPort, answer.dstPort]).toEqual([dst, src, dstPort, srcPort]);
      },
    ),
  );
});
