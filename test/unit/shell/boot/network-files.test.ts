import { expect, test } from "vitest";
import { disableService, enabledServices, enableService } from "../../../../src/shell/boot/enabled-services.ts";
import { readNetworkFiles } from "../../../../src/shell/boot/network-files.ts";
import { MemoryFileSystem } from "../../../../src/shell/memory-file-system.ts";

function filesWith(texts: Readonly<Record<string, string>>): MemoryFileSystem {
  const files = new MemoryFileSystem({ clock: { nowNs: 0 }, charactersMax: 1e6, writable: ["/etc"] });
  for (const [path, text] of Object.entries(texts)) {
    files.makeDirectory(path.slice(0, path.lastIndexOf("/")), { parents: true });
    files.write(path, text);
  }
  return files;
}

const SCRIPTS = "/etc/sysconfig/network-scripts";

interface Case {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  readonly up: Readonly<Record<string, readonly string[]>>;
  readonly last: readonly string[];
}

test.each<Case>([
  {
    what: "a static address with a gateway, and an alias that is not automatic",
    files: {
      "/etc/network/interfaces": `# the network
auto lo eth0
iface lo inet loopback
iface eth0 inet static
    address 10.0.0.11
    netmask 255.255.255.0
    gateway 10.0.0.1
    mtu 1400
    up ip route add 10.9.0.0/16 \\
       via 10.0.0.2
iface eth0:1 inet static
    address 10.0.0.100/32
`,
    },
    up: {
      lo: ["ip link set dev lo up"],
      eth0: ["ip addr add 10.0.0.11/24 broadcast + dev eth0 label eth0", "ip link set dev eth0 mtu 1400 up", "ip route add default via 10.0.0.1 dev eth0 onlink", "ip route add 10.9.0.0/16         via 10.0.0.2"],
    },
    last: [],
  },
  {
    what: "files that another one includes",
    files: {
      "/etc/network/interfaces": "source /etc/network/interfaces.d/*\n",
      "/etc/network/interfaces.d/vip": "auto lo:0\niface lo:0 inet static\n address 10.0.0.100\n netmask 255.255.255.255\n",
    },
    up: { "lo:0": ["ip addr add 10.0.0.100/32 broadcast + dev lo label lo:0"] },
    last: [],
  },
  {
    what: "Red Hat's files, aliases after their devices",
    files: {
      [`${SCRIPTS}/ifcfg-lo:0`]: 'DEVICE=lo:0\nIPADDR=10.0.0.100\nNETMASK=255.255.255.255\nONBOOT="yes"\n',
      [`${SCRIPTS}/ifcfg-eth0`]: "DEVICE=eth0\nBOOTPROTO=static\nIPADDR=10.0.0.11\nPREFIX=24\nGATEWAY=10.0.0.1\nONBOOT=yes\n",
      [`${SCRIPTS}/ifcfg-eth1`]: "DEVICE=eth1\nONBOOT=no\nIPADDR=10.1.0.1\nNETMASK=255.255.0.0\n",
      [`${SCRIPTS}/route-eth0`]: "10.9.0.0/16 via 10.0.0.2\n",
      "/etc/sysconfig/network": "NETWORKING=yes\nGATEWAY=10.0.0.254\n",
    },
    up: { eth0: ["ip link set dev eth0 up", "ip addr add 10.0.0.11/24 brd 10.0.0.255 dev eth0 label eth0"], "lo:0": ["ip addr add 10.0.0.100/32 brd 10.0.0.100 dev lo label lo:0"] },
    last: ["ip route replace default via 10.0.0.1 dev eth0", "ip route add 10.9.0.0/16 via 10.0.0.2"],
  },
])("$what", ({ files, up, last }) => {
  const network = readNetworkFiles(filesWith(files));
  expect(Object.fromEntries(network.interfaces.filter(({ isAuto }) => isAuto).map((one) => [one.name, one.up]))).toEqual(up);
  expect(network.last).toEqual(last);
});

test("a service is enabled by a link, of either kind", () => {
  const files = filesWith({ "/etc/rc3.d/S85nginx": "" });
  expect([enableService(files, "keepalived"), enableService(files, "keepalived")]).toEqual([true, false]);
  expect(enabledServices(files)).toEqual(["keepalived", "nginx"]);
  disableService(files, "nginx");
  disableService(files, "keepalived");
  expect(enabledServices(files)).toEqual([]);
});
