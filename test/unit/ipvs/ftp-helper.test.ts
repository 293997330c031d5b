import { expect, test } from "vitest";
import { Lab } from "../../../src/index.ts";
import { SequenceAdjust } from "../../../src/host/netfilter/sequence-adjust.ts";
import { TCP_ACK, TcpSegment } from "../../../src/wire/packet.ts";

/** client ── front ── director (NAT, VIP 192.168.100.100) ── back ── rs. */
function ftpLab(port = 21): Lab {
  const lab = new Lab();
  lab.host("client", { interfaces: { eth0: { link: "front", address: "192.168.100.50/24" } } });
  lab.host("director", {
    interfaces: { eth0: { link: "front", address: "192.168.100.1/24" }, eth1: { link: "back", address: "10.1.1.1/24" } },
    forward: true,
    run: `ip addr add 192.168.100.100/32 dev eth0; ipvsadm -A -t 192.168.100.100:${port} -s rr; ipvsadm -a -t 192.168.100.100:${port} -r 10.1.1.2:${port} -m`,
  });
  lab.host("rs", { interfaces: { eth0: { link: "back", address: "10.1.1.2/24" } }, gateway: "10.1.1.1" });
  return lab;
}

/** What the client reads and what the director lists when the server answers one command with `answer`, and says more later. */
function dialogue(lab: Lab, command: string, answer: string, port = 21) {
  lab.at("1s", { host: "rs", run: `(sleep 3; printf '${answer}'; sleep 2; printf '226 done\\r\\n'; sleep 3) | nc -l -p ${port}` });
  lab.at("1s", { host: "rs", run: "echo hello | nc -N -l -p 10001" });
  lab.at("2s", { host: "client", run: `(sleep 1; printf '${command}'; sleep 3; printf 'NOOP\\r\\n'; sleep 2) | nc 192.168.100.100 ${port}` });
  lab.at("4.5s", { host: "director", run: "ipvsadm -Lnc | grep 10001" });
  lab.at("5s", { host: "client", run: "timeout 2 nc -d 192.168.100.100 10001" });
  lab.at("5.5s", { host: "director", run: "ipvsadm -Lnc | grep 10001" });
  const { timeline } = lab.runToEnd();
  const [server, , client, waiting, data, open] = timeline.map((step) => step?.stdout ?? "");
  return { server, client, waiting, data, open };
}

test("PASV: the address in the answer becomes the virtual one, and the port it names leads to the same server", () => {
  const lab = ftpLab();
  const { client, server, waiting, data, open } = dialogue(lab, "PASV\\r\\n", "227 passive mode (10,1,1,2,39,17)\\r\\n");
  expect(client).toBe("227 passive mode (192,168,100,100,39,17)\r\n226 done\r\n");
  expect(server).toBe("PASV\r\nNOOP\r\n");
  expect(waiting).toMatch(/TCP 01:5[89] {2}LISTEN +192\.168\.100\.50:0 +192\.168\.100\.100:10001 +10\.1\.1\.2:10001/);
  expect(data).toBe("hello\n");
  expect(open).toMatch(/TIME_WAIT +192\.168\.100\.50:[1-9]\d+ +192\.168\.100\.100:10001/);
});

test("PASV: what follows the longer text is renumbered, acknowledgments are numbered back", () => {
  const lab = ftpLab();
  dialogue(lab, "PASV\\r\\n", "227 passive mode (10,1,1,2,39,17)\\r\\n");
  const grown = "192,168,100,100".length - "10,1,1,2".length;
  const seen = (link: "front" | "back") =>
    lab.events.flatMap((event) => {
      if (event.kind !== "frame-sent" || event.host !== (link === "front" ? "director" : "rs")) return [];
      const { payload } = event.frame;
      const segment = payload.kind === "ipv4" ? payload.payload : undefined;
      if (segment === undefined || segment.kind !== "tcp" || segment.srcPort !== 21 || segment.payload.length === 0) return [];
      return [segment];
    });
  const [front, back] = [seen("front"), seen("back")];
  expect(back.map(({ payload }) => payload.length)).toEqual([35, 10]);
  expect(front.map(({ payload }) => payload.length)).toEqual([35 + grown, 10]);
  expect((front[0]?.seq ?? 0) - (back[0]?.seq ?? 0)).toBe(0);
  expect((front[1]?.seq ?? 0) - (back[1]?.seq ?? 0)).toBe(grown);
});

test("EPSV: nothing to translate, but the port is learnt", () => {
  const { client, data } = dialogue(ftpLab(), "EPSV\\r\\n", "229 extended passive mode (|||10001|)\\r\\n");
  expect(client).toBe("229 extended passive mode (|||10001|)\r\n226 done\r\n");
  expect(data).toBe("hello\n");
});

test("an answer that nobody asked for is left alone, and so is another port than 21", () => {
  const unasked = dialogue(ftpLab(), "NOOP\\r\\n", "227 passive mode (10,1,1,2,39,17)\\r\\n");
  expect(unasked).toMatchObject({ client: "227 passive mode (10,1,1,2,39,17)\r\n226 done\r\n", waiting: "", data: "" });
  const other = dialogue(ftpLab(2121), "PASV\\r\\n", "227 passive mode (10,1,1,2,39,17)\\r\\n", 2121);
  expect(other).toMatchObject({ client: "227 passive mode (10,1,1,2,39,17)\r\n226 done\r\n", waiting: "", data: "" });
});

test.each(["PORT 192,168,100,50,200,3", "EPRT |1|192.168.100.50|51203|"])("%s: the server's call from port 20 reaches the client from the virtual address", (command) => {
  const lab = ftpLab();
  lab.at("1s", { host: "rs", run: "sleep 6 | timeout 6 nc -l -p 21" });
  lab.at("1s", { host: "client", run: "timeout 6 nc -v -n -l -p 51203" });
  lab.at("2s", { host: "client", run: `(printf '${command}\\r\\n'; sleep 4) | nc 192.168.100.100 21` });
  lab.at("3s", { host: "rs", run: "echo hello | nc -N -p 20 192.168.100.50 51203" });
  const { timeline } = lab.runToEnd();
  expect(timeline[1]?.stdout).toBe("hello\n");
  expect(timeline[1]?.stderr).toMatch(/Connection received on 192\.168\.100\.100 20/);
});

test("the hooks of connection tracking come with the service and go with it", () => {
  const lab = ftpLab();
  const count = () => lab.run("client", "ping -c 1 192.168.100.100").exit === 0 && lab.run("director", "conntrack -L 2> /dev/null | wc -l").stdout.trim();
  expect(count()).toBe("1");
  lab.run("director", "ipvsadm -C; conntrack -F");
  expect(count()).toBe("0");
});

test.each([
  { name: "a longer text", by: 7 },
  { name: "a shorter text", by: -3 },
])("sequence numbers after $name", ({ by }) => {
  const adjust = new SequenceAdjust();
  adjust.changed(1, 1000, by);
  const segment = (seq: number, ack: number) => new TcpSegment(21, 4000, seq, ack, TCP_ACK, 500);
  const moved = (direction: 0 | 1, seq: number, ack: number) => {
    const copy = segment(seq, ack);
    adjust.apply(direction, copy);
    return [copy.seq, copy.ack];
  };
  expect(moved(1, 1000, 50)).toEqual([1000, 50]);
  expect(moved(1, 1020, 50)).toEqual([1020 + by, 50]);
  expect(moved(0, 50, 1000)).toEqual([50, 1000]);
  expect(moved(0, 50, 1020 + by)).toEqual([50, 1020]);
  expect(adjust.concerns(1, segment(1000, 50))).toBe(false);
  expect(adjust.concerns(1, segment(1020, 50))).toBe(true);
});
