/**
 * Small clusters that the tests of the library build in code.
 */

import { Lab, type LabOptions } from "../../../src/index.ts";

/** client, director, rs1 and rs2 on one switch; LVS-DR with the VIP 10.0.0.100. `hides: false` leaves the VIP on the servers visible to ARP. */
export function directRoutingLab(options: LabOptions & { readonly scheduler?: string; readonly weights?: readonly [number, number]; readonly hides?: boolean } = {}): Lab {
  const { scheduler = "rr", weights = [1, 1], hides = true, ...labOptions } = options;
  const lab = new Lab(labOptions);
  lab.host("client", { interfaces: { eth0: { link: "lan", address: "10.0.0.50/24" } } });
  lab.host("director", {
    interfaces: { eth0: { link: "lan", address: "10.0.0.10/24" } },
    run: `
      ip addr add 10.0.0.100/32 dev eth0
      ipvsadm -A -t 10.0.0.100:80 -s ${scheduler}
      ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.11 -g -w ${weights[0]}
      ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.12 -g -w ${weights[1]}`,
  });
  for (const n of [1, 2]) {
    lab.host(`rs${n}`, {
      interfaces: { eth0: { link: "lan", address: `10.0.0.1${n}/24` } },
      run: `
        ${hides ? "sysctl -q -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2" : "true"}
        ip addr add 10.0.0.100/32 dev lo
        service httpd start`,
    });
  }
  return lab;
}

/** Two hosts on one cable. */
export function twoHostLab(options: LabOptions = {}): Lab {
  const lab = new Lab(options);
  lab.host("a", { interfaces: { eth0: { link: "lan", address: "10.0.0.1/24" } } });
  lab.host("b", { interfaces: { eth0: { link: "lan", address: "10.0.0.2/24" } } });
  return lab;
}
