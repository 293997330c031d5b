/**
 * Draws scenarios: topology, addresses, sysctls, forwarding method, scheduler, commands and faults from a seed. Most hold a mistake or two, as
 * people make them, since what goes wrong is where a simulator is easily wrong too.
 *
 * A drawn scenario is made of pieces that can be taken away one by one, so that a difference can be shrunk. Steps are far enough apart for a
 * kernel on a busy machine to end one before the next.
 */

import { stringify } from "yaml";
import { Chance } from "./chance.ts";
import { DRAWN_SCHEDULERS } from "./sched-draw.ts";

const STEP_SECONDS = 4;
/** Two calls that both time out take longer. */
const LONG_STEP_SECONDS = 6;
const METHODS = { NAT: "-m", DR: "-g", TUN: "-i" } as const;

type Method = keyof typeof METHODS;
type Shape = "one network" | "two networks" | "client behind a router" | "servers behind a router";

export interface DrawnInterface {
  readonly link: string;
  readonly address: string;
}

export interface DrawnHost {
  readonly name: string;
  readonly interfaces: Readonly<Record<string, DrawnInterface>>;
  readonly gateway?: string | undefined;
  readonly forward?: boolean;
  /** Of the script that is run at the start. */
  readonly lines: readonly string[];
}

export type DrawnStep = { readonly at: number; readonly host: string; readonly run: string } | { readonly at: number; readonly down: string } | { readonly at: number; readonly up: string };

export interface DrawnScenario {
  readonly title: string;
  readonly seed: number;
  readonly hosts: readonly DrawnHost[];
  readonly steps: readonly DrawnStep[];
}

/** The text of the scenario file. */
export function drawnText({ title, hosts, steps }: DrawnScenario): string {
  const file = {
    title,
    hosts: Object.fromEntries(
      hosts.map(({ name, interfaces, gateway, forward, lines }) => [
        name,
        { interfaces, ...(gateway === undefined ? {} : { gateway }), ...(forward === true ? { forward } : {}), ...(lines.length === 0 ? {} : { run: `${lines.join("\n")}\n` }) },
      ]),
    ),
    timeline: steps,
  };
  return stringify(file, { lineWidth: 0 });
}

export function drawScenario(seed: number): DrawnScenario {
  return new Draw(seed).scenario();
}

class Draw {
  readonly #seed: number;
  readonly #chance: Chance;
  readonly #shape: Shape;
  readonly #method: Method;
  readonly #scheduler: string;
  readonly #serverCount: number;
  readonly #front: string;
  readonly #back: string;
  readonly #far: string;
  readonly #vip: string;
  readonly #service: string;

  constructor(seed: number) {
    this.#seed = seed;
    const chance = new Chance(`scenario ${seed}`);
    this.#chance = chance;
    this.#shape = chance.of(["one network", "one network", "two networks", "two networks", "client behind a router", "servers behind a router"] as const);
    this.#method = chance.of(this.#shape === "two networks" ? (["NAT", "NAT", "NAT", "DR", "TUN"] as const) : (["DR", "DR", "NAT", "TUN"] as const));
    this.#scheduler = chance.of(DRAWN_SCHEDULERS);
    this.#serverCount = 1 + chance.below(3);
    [this.#front, this.#back, this.#far] = chance.of([
      ["192.168.10", "10.1.1", "172.16.5"],
      ["10.0.0", "192.168.100", "203.0.113"],
      ["198.51.100", "10.20.30", "192.168.1"],
    ] as const);
    this.#vip = chance.percent(12) ? this.#directorFront : `${this.#directorNet}.100`;
    this.#service = chance.percent(12) ? "-f 1" : `-t ${this.#vip}:80`;
  }

  /** The network in which the virtual address lies. */
  get #directorNet(): string {
    return this.#shape === "client behind a router" ? this.#back : this.#front;
  }

  get #directorFront(): string {
    return `${this.#directorNet}.1`;
  }

  get #serverNet(): string {
    return this.#shape === "one network" ? this.#front : this.#shape === "servers behind a router" ? this.#far : this.#back;
  }

  #server(i: number): string {
    return `${this.#serverNet}.${11 + i}`;
  }

  scenario(): DrawnScenario {
    const title = `Drawn, seed ${this.#seed}: ${this.#shape}, ${this.#method}, ${this.#scheduler}`;
    return { title, seed: this.#seed, hosts: [...this.#clients(), ...this.#routers(), this.#director(), ...this.#servers()], steps: this.#steps() };
  }

  #clients(): DrawnHost[] {
    const isBehind = this.#shape === "client behind a router";
    const gateway = isBehind ? `${this.#front}.254` : this.#chance.percent(50) ? `${this.#front}.1` : undefined;
    return [{ name: "client", interfaces: { eth0: { link: "front", address: `${this.#front}.9/24` } }, gateway, lines: this.#hostSysctls(12) }];
  }

  #routers(): DrawnHost[] {
    if (this.#shape === "client behind a router")
      return [
        {
          name: "router",
          interfaces: { eth0: { link: "front", address: `${this.#front}.254/24` }, eth1: { link: "back", address: `${this.#back}.254/24` } },
          forward: true,
          lines: this.#hostSysctls(10),
        },
      ];
    if (this.#shape === "servers behind a router")
      return [
        {
          name: "router",
          interfaces: { eth0: { link: "front", address: `${this.#front}.254/24` }, eth1: { link: "far", address: `${this.#far}.254/24` } },
          forward: true,
          lines: this.#hostSysctls(10),
        },
      ];
    return [];
  }

  #director(): DrawnHost {
    const net = this.#directorNet;
    const link = this.#shape === "client behind a router" ? "back" : "front";
    const interfaces: Record<string, DrawnInterface> = { eth0: { link, address: `${net}.1/24` } };
    if (this.#shape === "two networks") interfaces.eth1 = { link: "back", address: `${this.#back}.1/24` };
    const gateway = this.#shape.endsWith("a router") ? `${net}.254` : undefined;
    const lines: string[] = [];
    if (this.#vip !== this.#directorFront && !this.#chance.percent(4))
      lines.push(
        this.#chance.of([`ip addr add ${this.#vip}/32 dev eth0`, `ifconfig eth0:0 ${this.#vip} netmask 255.255.255.255 up`, `ip addr add ${this.#vip}/24 dev eth0`, `ip addr add ${this.#vip}/32 dev lo`]),
      );
    if (!this.#chance.percent(this.#method === "NAT" ? 12 : 50)) lines.push("sysctl -q -w net.ipv4.ip_forward=1");
    lines.push(...this.#hostSysctls(10), ...this.#directorSysctls(), ...this.#table());
    return { name: "director", interfaces, gateway, lines };
  }

  #directorSysctls(): string[] {
    const chance = this.#chance;
    const wanted: string[] = [];
    const maybe = (percent: number, name: string, values: readonly number[]) => {
      if (chance.percent(percent)) wanted.push(`sysctl -q -w net.ipv4.${name}=${chance.of(values)}`);
    };
    maybe(15, "conf.all.send_redirects", [0]);
    maybe(8, "vs.conntrack", [1]);
    maybe(10, "vs.expire_nodest_conn", [1]);
    maybe(10, "vs.expire_quiescent_template", [1]);
    maybe(8, "vs.sloppy_tcp", [1]);
    maybe(8, "vs.nat_icmp_send", [1]);
    maybe(8, "vs.pmtu_disc", [0]);
    maybe(8, "vs.conn_reuse_mode", [0]);
    return wanted;
  }

  #hostSysctls(percent: number): string[] {
    const chance = this.#chance;
    if (!chance.percent(percent)) return [];
    const key = chance.of(["rp_filter", "arp_ignore", "arp_announce", "send_redirects", "accept_redirects", "arp_filter", "secure_redirects", "shared_media"]);
    const value = key === "rp_filter" ? chance.of([1, 2]) : key === "arp_ignore" ? chance.of([1, 2, 3, 8]) : key === "arp_announce" ? chance.of([1, 2]) : key === "arp_filter" ? 1 : 0;
    return [`sysctl -q -w net.ipv4.conf.${chance.of(["all", "all", "eth0", "default"])}.${key}=${value}`];
  }

  #table(): string[] {
    const chance = this.#chance;
    const flags = chance.percent(20) ? ` -p ${chance.of([10, 60, 360])}${chance.percent(30) ? " -M 255.255.255.0" : ""}` : "";
    const lines = this.#service.startsWith("-f") ? [`iptables -t mangle -A PREROUTING -d ${this.#vip} -p tcp --dport 80 -j MARK --set-mark 1`] : [];
    lines.push(`ipvsadm -A ${this.#service} -s ${this.#scheduler}${flags}`);
    for (let i = 0; i < this.#serverCount; i++) lines.push(`ipvsadm -a ${this.#service} ${this.#destination(i)}`);
    if (chance.percent(8)) lines.push(`ipvsadm -a ${this.#service} -r ${chance.of([`${this.#serverNet}.77:80`, "127.0.0.1:80", `${this.#directorFront}:80`])} ${METHODS[this.#method]}`);
    return lines;
  }

  /** Server and settings, as ipvsadm takes them. */
  #destination(i: number): string {
    const chance = this.#chance;
    const method = chance.percent(8) ? chance.of(["NAT", "DR", "TUN"] as const) : this.#method;
    const port = chance.percent(method === "NAT" ? 15 : 4) ? 8080 : 80;
    const limits = chance.percent(10) ? ` -x ${1 + chance.below(3)}` : "";
    return `-r ${this.#server(i)}:${port} ${METHODS[method]} -w ${chance.of([0, 1, 1, 1, 2, 3])}${limits}`;
  }

  #servers(): DrawnHost[] {
    return Array.from({ length: this.#serverCount }, (_, i) => {
      const link = this.#shape === "one network" ? "front" : this.#shape === "servers behind a router" ? "far" : "back";
      return { name: `rs${i + 1}`, interfaces: { eth0: { link, address: `${this.#server(i)}/24` } }, gateway: this.#serverGateway(), lines: this.#serverLines() };
    });
  }

  #serverGateway(): string | undefined {
    const net = this.#serverNet;
    const right = this.#shape.endsWith("a router") ? (this.#method === "NAT" && this.#shape === "client behind a router" ? `${net}.1` : `${net}.254`) : `${net}.1`;
    return this.#chance.percent(80) ? right : this.#chance.of([undefined, `${net}.254`, `${net}.1`]);
  }

  #serverLines(): string[] {
    const chance = this.#chance;
    const lines = [chance.percent(15) ? 'HTTPD_PORTS="80 8080" httpd' : chance.percent(95) ? "service httpd start" : "echo nothing listens"];
    const hasVip = this.#method === "NAT" ? chance.percent(4) : !chance.percent(10);
    const device = this.#method === "TUN" ? chance.of(["tunl0", "tunl0", "tunl0", "lo"]) : chance.of(["lo", "lo", "lo", "eth0"]);
    if (this.#method === "TUN" && device === "lo" && chance.percent(70)) lines.push("ip link set tunl0 up");
    if (hasVip)
      lines.push(
        chance.percent(50)
          ? `ifconfig ${device === "tunl0" ? device : `${device}:0`} ${this.#vip} netmask ${chance.percent(92) ? "255.255.255.255" : "255.255.255.0"} up`
          : device === "tunl0"
            ? `ip addr add ${this.#vip}/32 dev tunl0; ip link set tunl0 up`
            : `ip addr add ${this.#vip}/32 dev ${device}`,
      );
    if (this.#method !== "NAT") lines.push(...this.#serverSysctls());
    lines.push(...this.#hostSysctls(8));
    return lines;
  }

  #serverSysctls(): string[] {
    const chance = this.#chance;
    const lines: string[] = [];
    const scope = chance.percent(75) ? ["all", "lo"] : chance.percent(50) ? ["lo"] : ["eth0"];
    if (!chance.percent(12)) for (const one of scope) lines.push(`sysctl -q -w net.ipv4.conf.${one}.arp_ignore=${chance.of([1, 1, 1, 2])}`);
    if (!chance.percent(15)) for (const one of scope) lines.push(`sysctl -q -w net.ipv4.conf.${one}.arp_announce=${chance.of([2, 2, 2, 1])}`);
    if (this.#method === "TUN" && chance.percent(40)) lines.push(`sysctl -q -w net.ipv4.conf.${chance.of(["tunl0", "all"])}.rp_filter=${chance.of([0, 1, 2])}`);
    return lines;
  }

  #steps(): DrawnStep[] {
    const chance = this.#chance;
    const steps: DrawnStep[] = [];
    const count = 4 + chance.below(3);
    let at = 1;
    for (let i = 0; i < count; i++) {
      const step: DrawnStep = i === 0 || chance.percent(55) ? { at, ...this.#traffic() } : this.#change(at);
      steps.push(step);
      at += "run" in step && step.run.split("curl").length > 2 ? LONG_STEP_SECONDS : STEP_SECONDS;
    }
    steps.push({ at, host: "client", run: this.#call() });
    steps.push({ at: at + STEP_SECONDS, host: "director", run: "ipvsadm -Ln; ipvsadm -Lnc; ip neigh" });
    return steps;
  }

  #call(): string {
    return `curl -s -m 2 http://${this.#vip}/`;
  }

  #traffic(): { readonly host: string; readonly run: string } {
    const chance = this.#chance;
    const server = this.#server(chance.below(this.#serverCount));
    const someServer = `rs${1 + chance.below(this.#serverCount)}`;
    return chance.of([
      { host: "client", run: this.#call() },
      { host: "client", run: this.#call() },
      { host: "client", run: `${this.#call()}; ${this.#call()}` },
      { host: "client", run: `ping -c 1 -W 1 ${this.#vip}` },
      { host: "client", run: `ping -c 1 -W 1 ${server}` },
      { host: "client", run: `curl -s -m 2 http://${server}/` },
      { host: someServer, run: this.#call() },
      { host: someServer, run: `ping -c 1 -W 1 ${this.#front}.9` },
      { host: "director", run: this.#call() },
      { host: "director", run: `ping -c 1 -W 1 ${server}` },
    ]);
  }

  #change(at: number): DrawnStep {
    const chance = this.#chance;
    const i = chance.below(this.#serverCount);
    const server = `rs${i + 1}`;
    const someone = chance.of(["director", server, "client"]);
    const onDirector = (run: string): DrawnStep => ({ at, host: "director", run });
    switch (chance.below(12)) {
      case 0:
      case 1:
        return onDirector(`ipvsadm -e ${this.#service} ${this.#destination(i)}`);
      case 2:
        return onDirector(`ipvsadm -d ${this.#service} -r ${this.#server(i)}:80`);
      case 3:
        return onDirector(`ipvsadm -E ${this.#service} -s ${chance.of(DRAWN_SCHEDULERS)}`);
      case 4:
        return { at, down: `${chance.of([server, "director", "client"])}.eth0` };
      case 5:
        return { at, host: someone, run: `iptables -A ${chance.of(["INPUT", "OUTPUT", "FORWARD"])} -p ${chance.of(["tcp", "icmp"])} -j ${chance.of(["DROP", "REJECT"])}` };
      case 6:
        return { at, host: someone, run: chance.of(["ip neigh flush all", "ip route flush cache", "ip neigh; ip route"]) };
      case 7:
        return { at, host: someone, run: `sysctl -w net.ipv4.conf.${chance.of(["all", "eth0"])}.${chance.of(["rp_filter=1", "arp_ignore=1", "arp_announce=2", "arp_ignore=0", "rp_filter=0"])}` };
      case 8:
        return onDirector(chance.of([`ip addr del ${this.#vip}/32 dev eth0`, "sysctl -w net.ipv4.ip_forward=0", "sysctl -w net.ipv4.ip_forward=1", "ipvsadm -Z", "ipvsadm --set 30 5 10"]));
      case 9:
        return onDirector(`arping -c 1 -w 1 -U -I eth0 ${this.#vip}`);
      case 10:
        return onDirector(`ipvsadm -a ${this.#service} ${this.#destination(i)}`);
      default:
        return { at, host: server, run: chance.of(["service httpd stop", `ip addr del ${this.#vip}/32 dev lo`, "ip link set eth0 down", "ip route del default", "ip link set tunl0 down"]) };
    }
  }
}
