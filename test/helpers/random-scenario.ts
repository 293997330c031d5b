/**
 * Draws scenarios: a topology, addressing, mode, scheduler, settings, what clients do, and faults. The options are plain data, so that a
 * failure shrinks to few of them; `renderScenario` turns them into a scenario file.
 */

import fc from "fast-check";

const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"] as const;

const setting = fc.constantFrom(
  "net.ipv4.conf.all.arp_ignore=1",
  "net.ipv4.conf.all.arp_announce=2",
  "net.ipv4.conf.all.rp_filter=1",
  "net.ipv4.conf.all.rp_filter=2",
  "net.ipv4.conf.all.send_redirects=0",
  "net.ipv4.conf.eth0.send_redirects=0",
  "net.ipv4.conf.all.arp_ignore=2",
  "net.ipv4.conf.all.arp_filter=1",
  "net.ipv4.conf.all.proxy_arp=1",
  "net.ipv4.conf.all.accept_local=1",
  "net.ipv4.ip_forward=1",
  "net.ipv4.ip_default_ttl=5",
  "net.ipv4.icmp_echo_ignore_all=1",
);

const directorSetting = fc.constantFrom(
  "net.ipv4.vs.conntrack=1",
  "net.ipv4.vs.conn_reuse_mode=0",
  "net.ipv4.vs.expire_nodest_conn=1",
  "net.ipv4.vs.expire_quiescent_template=1",
  "net.ipv4.vs.snat_reroute=0",
  "net.ipv4.vs.pmtu_disc=0",
  "net.ipv4.vs.nat_icmp_send=1",
  "net.ipv4.vs.drop_entry=3",
  "net.ipv4.vs.drop_packet=3",
  "net.ipv4.vs.secure_tcp=3",
  "net.ipv4.vs.sloppy_tcp=1",
);

const firewall = fc.constantFrom(
  "iptables -A INPUT -p icmp -j DROP",
  "iptables -A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT",
  "iptables -A INPUT -p tcp --dport 80 -j REJECT --reject-with tcp-reset",
  "iptables -P FORWARD DROP",
  "iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE",
  "iptables -t nat -A PREROUTING -p tcp --dport 8080 -j REDIRECT --to-ports 80",
  "iptables -t mangle -A PREROUTING -p tcp --dport 80 -j MARK --set-mark 1",
  "iptables -A OUTPUT -p tcp --tcp-flags RST RST -j DROP",
);

const clientCommand = fc.constantFrom(
  "curl -s -m 2 http://VIP/",
  "for i in 1 2 3; do curl -s -m 1 http://VIP/; done",
  "curl -s -m 2 http://VIP/big -o /dev/null",
  "curl -s -m 2 -d @/tmp/upload http://VIP/",
  "ping -c 2 -W 1 VIP",
  "ping -c 1 -W 1 -s 4000 VIP",
  "ping -c 1 -t 1 -W 1 VIP",
  "echo hello | nc -u -w 1 VIP 53",
  "nc -z -w 1 VIP 81",
  "arp -n",
  "ip neigh flush dev eth0",
);

const directorCommand = fc.constantFrom(
  "ipvsadm -Ln",
  "ipvsadm -Lnc",
  "ipvsadm -e -t VIP:80 -r RS1 METHOD -w 0",
  "ipvsadm -d -t VIP:80 -r RS1",
  "ipvsadm -a -t VIP:80 -r RS1 METHOD -w 2",
  "ipvsadm -C",
  "ipvsadm -Z",
  "ip addr del VIP/32 dev eth0",
  "ip addr add VIP/32 dev eth0",
  "ip route flush cache",
  "tc qdisc replace dev eth0 root netem delay 2ms 1ms duplicate 30% corrupt 5%",
  "tc qdisc del dev eth0 root",
);

/** Faults of the wire: what must hold of frames and counters holds all the same. */
const wireFault = fc.constantFrom(
  'impair: front, netem: "loss 10% duplicate 10% delay 5ms 3ms"',
  'impair: director, netem: "delay 20ms reorder 50% corrupt 10%"',
  'impair: rs1.eth0, netem: "rate 200kbit limit 5", direction: in',
  "impair: front",
  "impair: director",
  "break: front",
  "mend: front",
  "break: rs1",
  "mend: rs1",
  "partition: front, groups: [[client]]",
  "partition: front",
);

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("client" as const), text: clientCommand }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("director" as const), text: directorCommand }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("down" as const, "up" as const), text: fc.constantFrom("rs1.eth0", "rs2", "director.eth0", "client.eth0") }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("fault" as const), text: wireFault }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const), text: fc.constantFrom("rs1", "rs2", "director") }) },
);

export const scenarioOptions = fc.record({
  seed: fc.nat(1_000_000),
  mode: fc.constantFrom("nat" as const, "dr" as const, "tun" as const, "mixed" as const),
  scheduler: fc.constantFrom(...SCHEDULERS),
  isRouted: fc.boolean(),
  persistence: fc.constantFrom("", "-p 30", "-p 60 -M 255.255.255.0"),
  weights: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 2, maxLength: 3 }),
  mtu: fc.constantFrom(1500, 1500, 1400, 600),
  lossPercent: fc.constantFrom(0, 0, 0, 2, 20),
  hidesVip: fc.boolean(),
  directorSettings: fc.uniqueArray(fc.oneof(setting, directorSetting), { maxLength: 3 }),
  serverSettings: fc.uniqueArray(setting, { maxLength: 2 }),
  directorFirewall: fc.uniqueArray(firewall, { maxLength: 2 }),
  serverFirewall: fc.uniqueArray(firewall, { maxLength: 1 }),
  steps: fc.array(fc.record({ step, gapMs: fc.integer({ min: 0, max: 800 }) }), { minLength: 1, maxLength: 8 }),
});

export type ScenarioOptions = typeof scenarioOptions extends fc.Arbitrary<infer T> ? T : never;

/**
 *   client ── front ── director ── back ── rs1, rs2, ...      (NAT: servers route through the director)
 *   client ── front ── director, rs1, rs2, ...                (DR, TUN; with a router in between when isRouted)
 */
export function renderScenario(options: ScenarioOptions): string {
  const { mode, isRouted } = options;
  const vip = mode === "nat" ? "10.1.0.100" : isRouted ? "10.2.0.100" : "10.1.0.100";
  const serverNet = mode === "nat" || isRouted ? "10.2.0" : "10.1.0";
  const serverLink = mode === "nat" || isRouted ? "back" : "front";
  const method = (index: number) => (mode === "nat" ? "-m" : mode === "dr" ? "-g" : mode === "tun" ? "-i" : index % 2 === 0 ? "-g" : "-i");
  const servers = options.weights.map((_, i) => `${serverNet}.${11 + i}`);
  const gateway = mode === "nat" ? `${serverNet}.1` : isRouted ? `${serverNet}.254` : "";
  const script = (lines: readonly string[]) => lines.map((line) => `      ${line}`).join("\n");
  const fill = (text: string) => text.replaceAll("VIP", vip).replaceAll("RS1", servers[0] as string).replaceAll("METHOD", method(0));
  const directorInterfaces = mode === "nat" ? "eth0: { link: front, address: 10.1.0.1/24 }, eth1: { link: back, address: 10.2.0.1/24 }" : `eth0: { link: ${serverLink}, address: ${serverNet}.1/24 }`;
  const directorScript = [
    ...(mode === "nat" ? ["echo 1 > /proc/sys/net/ipv4/ip_forward"] : []),
    `ip addr add ${vip}/32 dev eth0`,
    "modprobe ip_vs",
    ...options.directorSettings.map((line) => `sysctl -w ${line}`),
    `ipvsadm -A -t ${vip}:80 -s ${options.scheduler} ${options.persistence}`,
    `ipvsadm -A -u ${vip}:53 -s rr`,
    ...options.weights.flatMap((weight, i) => [`ipvsadm -a -t ${vip}:80 -r ${servers[i]} ${method(i)} -w ${weight}`, `ipvsadm -a -u ${vip}:53 -r ${servers[i]} ${method(i)}`]),
    ...options.directorFirewall,
  ];
  const serverScript = [
    ...(options.hidesVip ? ["echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore", "echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce"] : []),
    ...(mode === "nat" ? [] : [`ip addr add ${vip}/32 dev lo`]),
    ...(mode === "tun" || mode === "mixed" ? ["modprobe ipip", "ip link set tunl0 up"] : []),
    ...options.serverSettings.map((line) => `sysctl -w ${line}`),
    ...options.serverFirewall,
    "head -c 20000 /dev/zero | tr '\\0' x > /var/www/html/big",
    "service httpd start",
  ];
  const host = (name: string, interfaces: string, extra: readonly string[], lines: readonly string[]) =>
    [`  ${name}:`, `    interfaces: { ${interfaces} }`, ...extra.map((line) => `    ${line}`), ...(lines.length > 0 ? ["    run: |", script(lines)] : [])].join("\n");
  const clientGateway = isRouted && mode !== "nat" ? ["gateway: 10.1.0.254"] : [];
  let at = 0;
  const steps = options.steps.map(({ step: { kind, text }, gapMs }) => {
    at += gapMs;
    const time = `at: ${100 + at}ms`;
    if (kind === "client" || kind === "director") return `  - { ${time}, host: ${kind}, run: ${JSON.stringify(fill(text))}, timeout: 8s }`;
    if (kind === "fault") return `  - { ${time}, ${text} }`;
    return kind === "crash" ? `  - { ${time}, crash: ${text} }` : `  - { ${time}, ${kind}: ${text} }`;
  });
  return [
    `title: Drawn ${mode} ${options.scheduler}`,
    `seed: ${options.seed}`,
    "links:",
    `  front: { latency: 20us, loss: ${options.lossPercent}% }`,
    ...(serverLink === "back" ? ["  back: { latency: 30us }"] : []),
    "hosts:",
    host("client", "eth0: { link: front, address: 10.1.0.50/24 }", clientGateway, ["head -c 5000 /dev/zero | tr '\\0' y > /tmp/upload"]),
    ...(isRouted && mode !== "nat" ? [host("router", "eth0: { link: front, address: 10.1.0.254/24 }, eth1: { link: back, address: 10.2.0.254/24 }", ["forward: true"], [])] : []),
    host("director", directorInterfaces, mode !== "nat" && isRouted ? [`gateway: ${serverNet}.254`] : [], directorScript),
    ...servers.map((address, i) => host(`rs${i + 1}`, `eth0: { link: ${serverLink}, address: ${address}/24, mtu: ${options.mtu} }`, gateway === "" ? [] : [`gateway: ${gateway}`], serverScript)),
    "timeline:",
    ...steps,
    "duration: 3s",
    "",
  ].join("\n");
}
