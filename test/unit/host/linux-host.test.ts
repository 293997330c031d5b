import { expect, test } from "vitest";
import { ip, Laboratory } from "./two-hosts.ts";

test("one host pings another: ARP, request, reply", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  lab.host("b", { eth0: "lan 10.0.0.2/24" });
  const heard: string[] = [];
  const socket = a.icmp.openEcho((packet, icmp) => heard.push(`${icmp.type} ${packet.ttl} ${icmp.rest & 0xffff}`));
  expect(socket.send({ destination: ip("10.0.0.2"), sequence: 1, payload: new Uint8Array(56) })).toBe(undefined);
  lab.run(1);
  expect(heard).toEqual(["0 64 1"]);
  expect(lab.dump("a").map((line) => line.replace(/id \d+/, "id N"))).toEqual([
    "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28",
    "ARP, Reply 10.0.0.2 is-at 02:00:00:00:00:02, length 28",
    "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id N, seq 1, length 64",
    "IP 10.0.0.2 > 10.0.0.1: ICMP echo reply, id N, seq 1, length 64",
  ]);
});

test("a host pings itself and an address nobody has", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  const heard: string[] = [];
  const socket = a.icmp.openEcho((packet, icmp) => heard.push(`${lab.loop.nowNs} ${icmp.type}/${icmp.code} ${packet.src === ip("10.0.0.1")}`));
  socket.send({ destination: ip("10.0.0.1"), sequence: 1, payload: new Uint8Array(56) });
  socket.send({ destination: ip("10.0.0.9"), sequence: 1, payload: new Uint8Array(56) });
  expect(socket.send({ destination: ip("8.8.8.8"), sequence: 1, payload: new Uint8Array(56) })).toBe("ENETUNREACH");
  lab.run(5);
  expect(heard).toEqual(["4000 0/0 true", "3120001000 3/1 true"]);
});
