/**
 * Small tools on a host of a laboratory, typed into its shell, against what the real ones printed there: devices, names, settings, sockets.
 */

import { expect, test } from "vitest";
import { Lab } from "../../../../src/lab/lab.ts";

function laboratory(): Lab {
  const lab = new Lab({ seed: "host tools" });
  lab.link("lan");
  lab.host("a", { interfaces: { eth0: { link: "lan", address: "10.0.0.2/24" } } });
  lab.host("b", { interfaces: { eth0: { link: "lan", address: "10.0.0.3/24" } } });
  lab.boot();
  lab.runFor("1s");
  return lab;
}

interface Case {
  readonly script: string;
  readonly output: string | RegExp;
}

/** Both streams, in the order in which they were written. */
function check({ script, output }: Case): void {
  const { stdout } = laboratory().run("a", `exec 2>&1\n${script}`);
  if (typeof output === "string") expect(stdout).toBe(output);
  else expect(stdout).toMatch(output);
}

const SYS = "cd /sys/class/net/eth0";

test.each<Case>([
  {
    script: `${SYS}; grep . carrier operstate flags speed duplex carrier_changes dormant mtu type tx_queue_len addr_len iflink`,
    output:
      "carrier:1\noperstate:up\nflags:0x1003\nspeed:10000\nduplex:full\ncarrier_changes:2\ndormant:0\nmtu:1500\ntype:1\ntx_queue_len:1000\naddr_len:6\niflink:8\n",
  },
  {
    script: `${SYS}; ifconfig eth0 down; cat carrier; echo $?; cat operstate flags speed; grep . carrier`,
    output: "cat: carrier: Invalid argument\n1\ndown\n0x1002\ncat: speed: Invalid argument\ngrep: carrier: Invalid argument\n",
  },
  { script: `${SYS}; echo 1400 > mtu; cat mtu; echo up > carrier; echo $?`, output: "1400\n/bin/bash: line 2: echo: write error: Operation not supported\n1\n" },
  { script: "cd /sys/class/net/lo; cat operstate carrier flags type speed", output: "unknown\n1\n0x9\n772\ncat: speed: Invalid argument\n" },
  { script: "ip tunnel add t0 mode ipip remote 10.0.0.3; cat /sys/class/net/t0/broadcast /sys/class/net/t0/type", output: "0a:00:00:03\n768\n" },
])("/sys/class/net: $script", check);

test("a cable that is cut and mended shows in /sys/class/net and ethtool", () => {
  const lab = laboratory();
  const look = (): string => lab.run("a", `${SYS}; cat carrier operstate carrier_changes; ethtool eth0 | tail -1`).stdout;
  lab.down("a.eth0");
  expect(look()).toBe("0\nlowerlayerdown\n3\n\tLink detected: no\n");
  lab.up("a.eth0");
  expect(look()).toBe("1\nup\n4\n\tLink detected: yes\n");
  expect(lab.run("a", `ifconfig eth0 down; ifconfig eth0 up; cat /sys/class/net/eth0/carrier_changes`).stdout).toBe("6\n");
});

test.each<Case>([
  { script: "ethtool eth0", output: /^Settings for eth0:\n\tSupported ports: \[ {2}\]\n(\t.*\n)+\tSpeed: 10000Mb\/s\n\tDuplex: Full\n(\t.*\n)+\tLink detected: yes\n$/ },
  { script: "ethtool lo", output: "Settings for lo:\n\tLink detected: yes\n" },
  { script: "ethtool nope; echo $?", output: /^(netlink error: no device matches name \(offset 24\)\nnetlink error: No such device\n){5}No data available\n75\n$/ },
  { script: "ethtool -i eth0", output: /^driver: veth\nversion: 1.0\nfirmware-version: \n/ },
  { script: "ethtool -i lo; echo $?", output: "Cannot get driver information: Operation not supported\n71\n" },
  { script: "ethtool -k eth0 | grep -c .; ethtool -k eth0 | grep ^tcp-seg; ethtool --show-offload lo | sed -n 2p", output: "66\ntcp-segmentation-offload: off\nrx-checksumming: on [fixed]\n" },
  { script: "ethtool -K eth0 tso off gro off; echo $?; ethtool -K eth0 foo off; echo $?", output: /^0\nnetlink error: bit name not found \(offset 56\)\nnetlink error: Operation not supported\n92\n$/ },
  { script: "ethtool -S eth0 | head -2; ethtool -S lo; echo $?", output: "NIC statistics:\n     peer_ifindex: 8\nno stats available\n94\n" },
  { script: "ethtool -g eth0; echo $?; ethtool; echo $?", output: "netlink error: Operation not supported\n1\nethtool: bad command line argument(s)\nFor more information run ethtool -h\n1\n" },
  { script: "brctl show; brctl show eth0; echo $?; brctl delbr x; echo $?", output: "bridge name\tbridge id\t\tSTP enabled\tinterfaces\ndevice eth0 is not a bridge!\n1\nbridge x doesn't exist; can't delete it\n1\n" },
  { script: "brctl addbr", output: "Incorrect number of arguments for command\nUsage: brctl addbr <bridge>\t\tadd bridge\n" },
])("cables: $script", check);

test.each<Case>([
  { script: "getent hosts localhost 10.1; echo $?", output: "127.0.0.1       localhost\n10.0.0.1        10.1\n0\n" },
  { script: "getent hosts nope 10.0.0.9; echo $?", output: "2\n" },
  { script: "echo 10.0.0.3 web www >> /etc/hosts; getent hosts www 10.0.0.3; getent ahosts www", output: "10.0.0.3        web www\n10.0.0.3        web www\n10.0.0.3        STREAM web\n10.0.0.3        DGRAM  \n10.0.0.3        RAW    \n" },
  { script: "getent services 80/tcp; getent services http; getent protocols 6", output: "http                  80/tcp www\nhttp                  80/tcp www\ntcp                   6 TCP\n" },
  { script: "getent passwd root; getent group 0", output: "root:x:0:0:root:/root:/bin/bash\nroot:x:0:\n" },
  { script: "getent foo; echo $?", output: "Unknown database: foo\nTry `getent --help' or `getent --usage' for more information.\n1\n" },
  { script: "hostname -i; echo $?", output: "hostname: Temporary failure in name resolution\n1\n" },
])("names: $script", check);

const ARP_IGNORE = "net.ipv4.conf.{all,default,eth0,lo}.arp_ignore";

test.each<Case>([
  { script: "printf 'a=\\nfoo bar\\n' | sysctl -p - | head -1", output: /^sysctl: -\(2\): invalid syntax, continuing...\n/ },
  { script: "sysctl -w 'net.ipv4.conf.*.arp_ignore=1'; echo $?", output: "sysctl: cannot stat /proc/sys/net/ipv4/conf/*/arp_ignore: No such file or directory\n1\n" },
  // A pattern of a file spares what has a line of its own, and what a dash without a value names.
  {
    script: `printf 'net.ipv4.conf.*.arp_ignore=2\\n-net.ipv4.conf.lo.arp_ignore\\nnet.ipv4.conf.eth0.arp_ignore=1\\n' | sysctl -q -p -; sysctl -n ${ARP_IGNORE}`,
    output: "2\n2\n1\n0\n",
  },
])("sysctl: $script", check);

test.each<Case>([
  { script: "ifconfig eth0:2 0.0.0.0; echo $?; ifconfig eth0:2 up; echo $?", output: "0\nSIOCSIFFLAGS: Cannot assign requested address\n255\n" },
  { script: "ifconfig eth0 -multicast; ifconfig eth0 | head -1; cat /sys/class/net/eth0/flags", output: "eth0: flags=67<UP,BROADCAST,RUNNING>  mtu 1500\n0x3\n" },
  { script: "ifconfig eth0:1 10.0.0.4; ifconfig eth0:1 -multicast; echo $?", output: "Warning: Interface eth0:1 still in MULTICAST mode.\n0\n" },
  { script: "ifconfig eth0 -broadcast; echo $?", output: "Warning: Interface eth0 still in BROADCAST mode.\n0\n" },
  {
    script: "ip addr add 10.0.0.9/24 dev eth0 label foo; ifconfig -s; echo $?; netstat -i; echo $?",
    output:
      /^Iface .*\neth0 .*\nfoo: error fetching interface information: Device not found\n1\nKernel Interface table\nIface .*\neth0 .*\nfoo: error fetching interface information: Device not found\nmissing interface information: No such device\n1\n$/,
  },
  { script: "ip link set eth0 alias 'to the lan'; ip link show eth0 | tail -1; ip -j link show eth0; cat /sys/class/net/eth0/ifalias", output: /^ {4}alias to the lan\n.*"ifalias":"to the lan".*\nto the lan\n$/ },
  { script: "ip link set eth0 multicast off; ip link show eth0 | head -1; ip link set eth0 multicast x", output: /<BROADCAST,UP,LOWER_UP>.*\nError: argument of "multicast" must be "on" or "off", not "x"\n$/ },
  { script: "ip rule add tos 8 table 9; ip rule | grep tos", output: "32765:\tfrom all tos 0x08 lookup 9\n" },
  { script: "ip -h link show lo; echo $?", output: /^1: lo: .*\n.*\n0\n$/ },
  { script: "ip route add via 10.0.0.3 | wc -l; ip route add via 10.0.0.3 2>&1 | head -1; ip route | grep -c default", output: /^[\s\S]*Usage: ip route \{ list \| flush \} SELECTOR\n0\n$/ },
  { script: "route add -net 2>/dev/null; echo $?; route add -net 10.60.0.0/33 gw 10.0.0.3 2>&1 | head -1", output: "3\nroute: netmask doesn't match route address\n" },
  { script: "ping -q -c 1 -s 60000 10.0.0.2 > /dev/null; ip -h -s link show lo | sed -n 4p; ip -iec -h -s link show lo | sed -n 4p", output: /^ {10}120k {7}2 .*\n {9}117ki {7}2 .*\n$/ },
  {
    script: "sysctl -q net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.eth0.forwarding=1; ip netconf show dev eth0; ip -4 netconf | wc -l; ip -6 netconf | tail -3; ip netconf show dev x",
    output:
      'inet eth0 forwarding on rp_filter loose mc_forwarding off proxy_neigh off ignore_routes_with_linkdown off \ninet6 eth0 forwarding off proxy_neigh off ignore_routes_with_linkdown off \n8\ninet6 eth0 forwarding off proxy_neigh off ignore_routes_with_linkdown off \ninet6 all forwarding off proxy_neigh off ignore_routes_with_linkdown off \ninet6 default forwarding off proxy_neigh off ignore_routes_with_linkdown off \nDevice "x" does not exist.\n',
  },
  { script: "arp -s 10.0.0.99 02:00:00:00:00:01 netmask 255.255.255.0; echo $?", output: "SIOCSARP: Invalid argument\n255\n" },
  { script: "ping -c 1 -I eth0:1 10.0.0.3; echo $?", output: "ping: invalid source address: eth0:1\n2\n" },
  { script: "ip addr add 192.0.2.1/32 dev lo; ping -q -c 1 -W 1 -I eth0 -I 192.0.2.1 10.0.0.3 | head -1", output: "PING 10.0.0.3 (10.0.0.3) from 192.0.2.1 eth0: 56(84) bytes of data.\n" },
])("interfaces and routes: $script", check);

test("ip route show cache: what was learnt is listed once a lookup has gone by it", () => {
  const lab = new Lab({ seed: "cache" });
  lab.link("lan");
  lab.link("far");
  lab.host("a", { interfaces: { eth0: { link: "lan", address: "10.0.0.2/24" } }, gateway: "10.0.0.1" });
  lab.host("r", {
    interfaces: { eth0: { link: "lan", address: "10.0.0.1/24" }, eth1: { link: "far", address: "10.1.0.1/24" } },
    run: "sysctl -w net.ipv4.ip_forward=1; ip link set eth1 mtu 1400",
  });
  lab.host("c", { interfaces: { eth0: { link: "far", address: "10.1.0.3/24" } }, gateway: "10.1.0.1" });
  lab.boot();
  expect(lab.run("a", "ping -q -c 1 -W 1 -s 1472 -M want 10.1.0.3 > /dev/null; ip route show cache").stdout).toBe("");
  expect(lab.run("a", "ip route get 10.1.0.3 > /dev/null; ip route show cache").stdout).toMatch(/^10.1.0.3 via 10.0.0.1 dev eth0 \n {4}cache expires \d+sec mtu 1400 \n$/);
});

const LISTENERS = "nc -l -p 7000 & nc -u -l -p 7001 & sleep 0.1;";
const TCP_ONLY = /^State .*\nLISTEN .*:7000 .*\n$/;
const BOTH = /^Netid .*\nudp .*:7001 .*\ntcp .*:7000 .*\n$/;

test.each<Case>([
  { script: `${LISTENERS} ss -A tcp -ln`, output: TCP_ONLY },
  { script: `${LISTENERS} ss -lnA tcp`, output: TCP_ONLY },
  { script: `${LISTENERS} ss --query=tcp -ln`, output: TCP_ONLY },
  { script: `${LISTENERS} ss -f inet -tln`, output: TCP_ONLY },
  { script: `${LISTENERS} ss -A inet -ln`, output: BOTH },
  { script: `${LISTENERS} ss -f inet -ln`, output: BOTH },
  { script: `${LISTENERS} ss -f inet6 -ln | wc -l`, output: "1\n" },
  { script: "ss -f foo | head -1; ss -A foo 2>&1 | head -1", output: /^ss: "foo" is invalid family\n[\s\S]*ss: "foo" is illegal socket table id\n$/ },
  { script: "ss -o state foo; echo $?", output: "ss: wrong state name: foo\n255\n" },
  { script: "ss -tn dst 10.0.0.300; echo $?", output: 'Error: an inet prefix is expected rather than "10.0.0.300".\nCannot parse dst/src address.\n1\n' },
  { script: `${LISTENERS} netstat -A inet -tln | tail -1`, output: /^tcp .*:7000 / },
  { script: `${LISTENERS} netstat -tlnA inet | tail -1; netstat --inet -uln | tail -1; netstat --protocol=inet -tln | tail -1`, output: /^tcp .*\nudp .*\ntcp .*\n$/ },
  { script: "netstat -A foo; echo $?; netstat -A 2>&1 | head -1", output: "Unknown address family `foo'.\n1\nnetstat: option requires an argument -- 'A'\n" },
  { script: "netstat -rne | sed -n 2p; netstat -r -n -e -e | sed -n 2p; netstat -rn | sed -n 2p", output: /^Dest.*Flags Metric Ref {4}Use Iface\nDest.*Use Iface {4}MSS .*\nDest.*Flags {3}MSS Window {2}irtt Iface\n$/ },
])("sockets: $script", check);

test.each<Case>([
  { script: "nc -z 10.0.0.3 foo; echo $?; nc -z 10.0.0.3 0; nc -k 10.0.0.3 80; echo $?", output: "nc: port number invalid: foo\n1\nnc: port number too small: 0\nnc: must use -l with -k\n1\n" },
  { script: "wget -q -O /nonexist/x http://10.0.0.3/; echo $?", output: "/nonexist/x: No such file or directory\n1\n" },
  { script: "httpd; tcpdump -l -A -i lo dst port 80 2>/dev/null | grep -a -A9 POST & sleep 0.1; wget -q -O - --post-data a=b http://127.0.0.1/; sleep 0.1; kill $!", output: /POST \/ HTTP\/1.1\r?\n[\s\S]*Content-Type: application\/x-www-form-urlencoded\r?\nContent-Length: 3/ },
  { script: "ab -n 0 http://10.0.0.3/; echo $?", output: "Invalid number of requests\n\n1\n" },
  { script: "ipvsadm -A -t 10.6.6.6:80 -s rr; ipvsadm -E -t 10.6.6.6:80 -s none; echo $?; ipvsadm -ln | tail -1; ipvsadm -Sn", output: "0\nTCP  10.6.6.6:80 none\n-A -t 10.6.6.6:80 -s none\n" },
])("clients: $script", check);
