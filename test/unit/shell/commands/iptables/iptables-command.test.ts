/**
 * iptables against recordings of the real one (iptables v1.8.9 legacy, Linux): every command of a group was run in one fresh network
 * namespace, `[command, exit, stdout, stderr]`. Dates are cut out.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { formatCtime, splitRule } from "../../../../../src/shell/commands/iptables/save-restore.ts";
import { Laboratory } from "../../../host/two-hosts.ts";
import { BenchMachine, type Outcome } from "./bench-machine.ts";

type Recording = readonly [command: string, exit: number, stdout: string, stderr: string];

const groups = JSON.parse(readFileSync(join(import.meta.dirname, "recordings.json"), "utf8")) as readonly (readonly Recording[])[];

function withoutDate(text: string): string {
  return text.replace(/ on \w{3} \w{3} .*/g, " on DATE");
}

/** Runs a recorded line: commands after one another, perhaps with what `printf` or `echo` pipes into them. */
function replay(machine: BenchMachine, line: string): Outcome {
  let outcome: Outcome = { exit: 0, stdout: "", stderr: "" };
  for (const part of line.split(/;(?=(?:[^']*'[^']*')*[^']*$)/)) {
    const pipe = /^(printf|echo) '([^']*)' \| (.*)$/.exec(part.trim());
    const input = pipe === null ? "" : pipe[1] === "echo" ? `${pipe[2]}\n` : (pipe[2] ?? "").replaceAll("\\n", "\n");
    const { exit, stdout, stderr } = machine.run(pipe === null ? part.trim() : (pipe[3] ?? ""), input);
    outcome = { exit, stdout: outcome.stdout + stdout, stderr: outcome.stderr + stderr };
  }
  return outcome;
}

describe("iptables says what the real one says", () => {
  test.each(groups.map((recordings, index) => ({ index, recordings })))("group $index", ({ recordings }) => {
    const machine = new BenchMachine(new Laboratory().host("host"));
    machine.files.set("/etc/hosts", "127.0.0.1 localhost\n");
    for (const [command, exit, stdout, stderr] of recordings) {
      const outcome = replay(machine, command);
      expect({ command, ...outcome, stdout: withoutDate(outcome.stdout) }).toEqual({ command, exit, stdout: withoutDate(stdout), stderr });
    }
  });

  test("what the simulator cannot do fails and says so", () => {
    const machine = new BenchMachine(new Laboratory().host("host"));
    for (const rule of ["-m u32 --u32 0=0", "-m owner --uid-owner 0", "-j TEE --gateway 1.1.1.1", "-j NFQUEUE"]) {
      const outcome = machine.run(`iptables -A INPUT ${rule}`);
      expect(outcome.exit).toBe(2);
      expect(outcome.stderr).toContain("the simulator does not support");
    }
    expect(machine.run("arptables -D INPUT 1")).toEqual({ exit: 1, stdout: "", stderr: "arptables: No chain/target/match by that name.\n" });
    expect(machine.run("arptables")).toMatchObject({ exit: 2 });
    expect(machine.run("arptables -vL INPUT").stdout).toBe("Chain INPUT (policy ACCEPT 0 packets, 0 bytes)\n");
    expect(machine.run("arptables -S").stdout).toBe("-P INPUT ACCEPT\n-P OUTPUT ACCEPT\n");
    expect(machine.run("ip6tables -P INPUT DROP").exit).toBe(4);
    expect(machine.run("ebtables -A INPUT -j DROP")).toEqual({ exit: 0, stdout: "", stderr: "" });
    expect(machine.run("arptables -A INPUT -j DROP")).toEqual({
      exit: 4,
      stdout: "",
      stderr: "arptables v1.8.9 (nf_tables):  TABLE_ADD failed (Operation not supported): table filter\n",
    });
  });

  test("-m ipvs is known", () => {
    const machine = new BenchMachine(new Laboratory().host("host"));
    machine.run("iptables -A INPUT -m ipvs --ipvs -j ACCEPT");
    machine.run("iptables -A INPUT -m ipvs ! --vaddr 1.2.3.4/32 --vmethod MASQ --vdir ORIGINAL --vportctl 21");
    machine.run("iptables -A INPUT -m ipvs --vaddr 1.2.3.4 --vport 80 --vproto 6");
    expect(machine.run("iptables -S INPUT").stdout).toBe(
      "-P INPUT ACCEPT\n-A INPUT -m ipvs --ipvs -j ACCEPT\n-A INPUT -m ipvs ! --vaddr 1.2.3.4 --vdir ORIGINAL --vmethod MASQ --vportctl 21\n" +
        "-A INPUT -m ipvs --vproto 6 --vaddr 1.2.3.4 --vport 80\n",
    );
  });
});

test.each([
  ["a b  c", ["a", "b", "c"]],
  ['-m comment --comment "a b" x', ["-m", "comment", "--comment", "a b", "x"]],
  ['"a\\"b" \'c d\' ""', ['a"b', "c d", ""]],
])("splitRule %s", (line, words) => {
  expect(splitRule(line)).toEqual(words);
});

test.each([
  [0, "Thu Jan  1 00:00:00 1970"],
  [951_782_400, "Tue Feb 29 00:00:00 2000"],
  [1_795_236_021, "Sat Nov 21 04:40:21 2026"],
  [4_102_444_799, "Thu Dec 31 23:59:59 2099"],
])("ctime of %d is %s", (seconds, text) => {
  expect(formatCtime(seconds)).toBe(text);
});
