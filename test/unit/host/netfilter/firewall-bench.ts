/**
 * client -- router -- server with iptables on each of them, for tests of what rules do to packets.
 *
 *   client 10.0.0.9 ── out ── 10.0.0.1 router 192.168.5.1 ── in ── server 192.168.5.2
 */

import { BenchMachine } from "../../shell/commands/iptables/bench-machine.ts";
import { ip, Laboratory } from "../two-hosts.ts";

export class FirewallBench {
  readonly lab = new Laboratory();
  readonly client: BenchMachine;
  readonly router: BenchMachine;
  readonly server: BenchMachine;

  constructor() {
    this.client = new BenchMachine(this.lab.host("client", { eth0: "out 10.0.0.9/24" }, "10.0.0.1"));
    this.router = new BenchMachine(this.lab.host("router", { eth0: "out 10.0.0.1/24", eth1: "in 192.168.5.1/24" }));
    this.server = new BenchMachine(this.lab.host("server", { eth0: "in 192.168.5.2/24" }, "192.168.5.1"));
    this.router.host.sysctl.write("net.ipv4.ip_forward", "1");
  }

  /** What a ping told: types of the answers, one each second. */
  ping(from: BenchMachine, to: string, count = 1): string[] {
    const heard: string[] = [];
    const socket = from.host.icmp.openEcho((packet, icmp) =>
      heard.push(`${icmp.type}/${icmp.code} from ${packet.src >>> 24}.${(packet.src >>> 16) & 255}.${(packet.src >>> 8) & 255}.${packet.src & 255}`),
    );
    for (let sequence = 1; sequence <= count; sequence++) {
      const errno = socket.send({ destination: ip(to), sequence, payload: new Uint8Array(56) });
      if (errno !== undefined) heard.push(errno);
      this.lab.run(1);
    }
    socket.close();
    return heard;
  }

  listen(on: BenchMachine, port: number): string[] {
    const peers: string[] = [];
    on.host.tcp.listen({ address: 0, port }, (socket) => {
      peers.push(`${socket.remoteAddress >>> 24}.${(socket.remoteAddress >>> 16) & 255}.${(socket.remoteAddress >>> 8) & 255}.${socket.remoteAddress & 255}`);
      return {
        onData: () => {
          socket.send(new Uint8Array(10));
          socket.close();
        },
      };
    });
    return peers;
  }

  /** `ok`, or the errno that the connection ended with, or `silence`. */
  fetch(from: BenchMachine, to: string, port: number, seconds = 2): string {
    let result = "silence";
    let bytes = 0;
    const socket = from.host.tcp.connect(
      { address: ip(to), port },
      {
        onConnected: () => {
          if (typeof socket !== "string") socket.send(new Uint8Array(5));
        },
        onData: (data) => {
          bytes += data.length;
        },
        onEnd: () => {
          result = bytes === 10 ? "ok" : `${bytes} bytes`;
          if (typeof socket !== "string") socket.close();
        },
        onError: (errno) => {
          result = errno;
        },
      },
    );
    if (typeof socket === "string") return socket;
    this.lab.run(seconds);
    if (result === "silence") socket.abort();
    this.lab.run(0.1);
    return result;
  }
}
