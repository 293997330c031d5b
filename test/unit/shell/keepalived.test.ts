/**
 * keepalived on simulated hosts: what recordings of the real one do not show.
 */

import { describe, expect, test } from "vitest";
import { LINUX_PARTS } from "../../../src/scenario/linux-parts.ts";
import { runScenario } from "../../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";

interface HostOptions {
  readonly address: string;
  readonly config?: string;
  readonly run?: string;
}

const indent = (text: string, by: number): string =>
  text
    .trim()
    .split("\n")
    .map((line) => " ".repeat(by) + line)
    .join("\n");

/** Runs steps [seconds, host, script] and gives their standard output and exit statuses. */
function run(hosts: Readonly<Record<string, HostOptions>>, steps: readonly (readonly [number, string, string])[]): { readonly stdout: string; readonly stderr: string; readonly exit: number }[] {
  let text = "title: test\nhosts:\n";
  for (const [name, host] of Object.entries(hosts)) {
    text += `  ${name}:\n    interfaces: { eth0: { link: lan, address: ${host.address}/24 } }\n`;
    if (host.config !== undefined) text += `    files:\n      /etc/keepalived/keepalived.conf: |\n${indent(host.config, 8)}\n`;
    if (host.run !== undefined) text += `    run: |\n${indent(host.run, 6)}\n`;
  }
  text += "timeline:\n";
  for (const [at, host, script] of steps) text += `  - { at: ${at}s, host: ${host}, run: ${JSON.stringify(script)} }\n`;
  const scenario = parseScenario(text, "test.yaml");
  const result = runScenario(scenario, { parts: LINUX_PARTS });
  return [...result.timeline] as { stdout: string; stderr: string; exit: number }[];
}

const instance = (priority: number, more = ""): string => `
vrrp_instance V {
    state BACKUP
    interface eth0
    virtual_router_id 9
    priority ${priority}
    virtual_ipaddress {
        10.0.0.100
    }
${more}
}`;

const server = (check: string, more = ""): string => `
virtual_server 10.0.0.100 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    warmup 0
${more}
    real_server 10.0.0.20 80 {
${check}
    }
}`;

describe("the daemon", () => {
  test("refuses what is not simulated, by line, and does not start", () => {
    const [started, alive] = run({ a: { address: "10.0.0.1", config: instance(100, "    use_ipvlan") } }, [
      [1, "a", "keepalived"],
      [2, "a", "pgrep keepalived"],
    ]);
    expect(started).toMatchObject({ exit: 2, stderr: expect.stringContaining("use_ipvlan is not simulated\n") as string });
    expect(alive?.stdout).toBe("");
    const [checked] = run({ a: { address: "10.0.0.1", config: server("BFD_CHECK {\n}") } }, [[1, "a", "keepalived"]]);
    expect(checked?.exit).toBe(2);
    expect(checked?.stderr).toContain("BFD_CHECK");
  });

  test("without a configuration logs and fails without a word", () => {
    const [started, log] = run({ a: { address: "10.0.0.1" } }, [
      [1, "a", "keepalived; echo $?"],
      [2, "a", "cat /var/log/messages"],
    ]);
    expect(started?.stdout).toBe("6\n");
    expect(log?.stdout).toContain("Keepalived[");
    expect(log?.stdout).toContain("Config files missing '/etc/keepalived/keepalived.conf'.");
  });

  test("systemctl starts, tells, reloads, stops; a second start finds the first", () => {
    const [first, second, enabled, stopped] = run({ a: { address: "10.0.0.1", config: instance(100) } }, [
      [1, "a", "systemctl start keepalived; systemctl is-active keepalived; ls /run/*.pid"],
      [6, "a", "keepalived; grep -c 'daemon is already running' /var/log/messages; systemctl reload keepalived; sleep 1; grep -c 'Reload complete' /var/log/messages; systemctl status keepalived | sed -n 3p"],
      [8, "a", "systemctl is-enabled keepalived; systemctl enable keepalived; systemctl is-enabled keepalived"],
      [10, "a", "systemctl stop keepalived; systemctl is-active keepalived; ls /run/*.pid 2>/dev/null; ip -4 -o addr show eth0 | wc -l"],
    ]);
    expect(first?.stdout).toBe("active\n/run/keepalived.pid\n/run/vrrp.pid\n");
    expect(second?.stdout).toBe("1\n1\n     Active: active (running)\n");
    expect(enabled?.stdout).toBe("disabled\nenabled\n");
    expect(stopped?.stdout).toBe("inactive\n1\n");
  });

  test("children end when the parent is killed, and the parent's processes are one family", () => {
    const [family, orphans] = run({ a: { address: "10.0.0.1", config: `${instance(100)}\n${server("TCP_CHECK {\n}")}` } }, [
      [3, "a", "keepalived; sleep 0.1; ps -eo ppid,comm | grep -c keepalived; p=$(cat /run/keepalived.pid); ps -eo ppid,comm | grep -c \"^ *$p keepalived\""],
      [5, "a", "kill -9 $(cat /run/keepalived.pid); sleep 2; pgrep keepalived | wc -l; ip -4 -o addr show eth0 | wc -l; ipvsadm -Ln | grep -c TCP"],
    ]);
    expect(family?.stdout).toBe("3\n2\n");
    expect(orphans?.stdout).toBe("0\n1\n0\n");
  });
});

describe("VRRP", () => {
  test("a master that is stopped loses to its backup, and both hold the address until it goes on", () => {
    const [before, , split, , after] = run({ a: { address: "10.0.0.1", config: instance(150), run: "keepalived" }, b: { address: "10.0.0.2", config: instance(100), run: "keepalived" } }, [
      [6, "b", "ip -4 -o addr show eth0 | wc -l"],
      [7, "a", "pkill -STOP keepalived"],
      [14, "b", "ip -4 -o addr show eth0 | wc -l"],
      [15, "a", "pkill -CONT keepalived"],
      [20, "b", "ip -4 -o addr show eth0 | wc -l; grep -c 'Entering MASTER' /var/log/messages"],
    ]);
    expect(before?.stdout).toBe("1\n");
    expect(split?.stdout).toBe("2\n");
    expect(after?.stdout).toBe("1\n1\n");
  });

  test("a wrong password, another interval and another address are not heard", () => {
    const auth = (word: string): string => `    authentication {\n        auth_type PASS\n        auth_pass ${word}\n    }`;
    const [log] = run({ a: { address: "10.0.0.1", config: instance(150, auth("one")), run: "keepalived" }, b: { address: "10.0.0.2", config: instance(100, auth("two")), run: "keepalived" } }, [
      [9, "b", "grep -c 'received an invalid passwd!' /var/log/messages; ip -4 -o addr show eth0 | wc -l"],
    ]);
    const [count, addresses] = (log?.stdout ?? "").split("\n").map(Number);
    expect(count).toBeGreaterThan(2);
    expect(addresses).toBe(2);
  });
});

describe("checks", () => {
  const world = { d: { address: "10.0.0.1", config: server("SSL_GET {\n url {\n path /\n status_code 200\n }\n }"), run: "ip addr add 10.0.0.100/32 dev eth0" }, r: { address: "10.0.0.20", run: "HTTPD_PORTS=80 httpd" } };

  test("SSL_GET greets a server that speaks no TLS, and takes it out", () => {
    const [seen, table] = run(world, [
      [1, "d", "(timeout 3 tcpdump -ni eth0 -c 4 'tcp[13] & 8 != 0' 2>/dev/null | grep -c 'length 3[0-9][0-9]') & keepalived -D; sleep 5"],
      [8, "d", "ipvsadm -Ln | grep -c Masq; grep -c 'HTTP_CHECK on service .*failed' /var/log/messages"],
    ]);
    expect(seen?.exit).toBe(0);
    expect(table?.stdout).toBe("0\n1\n");
  });

  test("the console has the same lines as the log, with keepalived's clock", () => {
    const [console] = run(world, [[2, "d", "(keepalived -n -l & sleep 1; kill $!; sleep 1) 2>&1 | head -3"]]);
    const lines = (console?.stdout ?? "").split("\n");
    expect(lines[0]).toMatch(/^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}: Starting Keepalived v2\.2\.7 \(01\/16,2022\)$/);
    expect(lines[2]).toMatch(/Command line: 'keepalived' '-n' '-l'$/);
  });
});

describe("what holds an instance", () => {
  const tracked = (more: string): string => `
vrrp_track_process web {
    process apache2
    weight 60
    delay 1
}
${instance(100, more)}`;

  test("a tracked process lends its weight while it runs, after the delay", () => {
    const [log] = run({ a: { address: "10.0.0.1", config: tracked("    track_process {\n        web\n    }") } }, [
      [1, "a", "keepalived -D; sleep 5; httpd; sleep 3; httpd -k stop; sleep 3; grep -oE 'Quorum (gained|lost).*|Changing effective.*' /var/log/messages"],
    ]);
    expect(log?.stdout).toBe(
      "Quorum gained for tracked process web\nChanging effective priority from 100 to 160\nQuorum lost for tracked process web\nChanging effective priority from 160 to 100\n",
    );
  });

  test("without weight the instance is in fault until the process runs", () => {
    const [state] = run({ a: { address: "10.0.0.1", config: tracked("    track_process {\n        web weight 0\n    }") } }, [
      [1, "a", "keepalived -D; sleep 5; ip addr show eth0 | grep -c 10.0.0.100; httpd; sleep 6; ip addr show eth0 | grep -c 10.0.0.100"],
    ]);
    expect(state?.stdout).toBe("0\n1\n");
  });

  test("advertisements with AH are believed, and tcpdump shows what is in them", () => {
    const secured = (priority: number): string => instance(priority, "    authentication {\n        auth_type AH\n        auth_pass secret\n    }");
    const [seen] = run({ a: { address: "10.0.0.1", config: secured(150) }, b: { address: "10.0.0.2", config: secured(100) } }, [
      [1, "b", "(timeout 12 tcpdump -ni eth0 -c 1 'ip proto 51' 2>/dev/null) & keepalived -D; sleep 13; grep -c 'IPSEC-AH' /var/log/messages"],
      [2, "a", "keepalived -D"],
    ]);
    expect(seen?.stdout).toMatch(/IP 10\.0\.0\.\d > 224\.0\.0\.18: AH\(spi=0x0a00000\d,seq=0x1,icv=0x[0-9a-f]{24}\): VRRPv2, Advertisement, vrid 9, prio \d+, authtype ah, intvl 1s, length 20\n0\n/);
  });
});
