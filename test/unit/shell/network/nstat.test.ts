/**
 * nstat: its history, patterns, options and mistakes, with the words of iproute2 6.1.0.
 */

import { expect, test } from "vitest";
import { makeShellWorld, runToEnd } from "../../../helpers/shell-run.ts";

function run(script: string, world = makeShellWorld()) {
  const result = runToEnd(world, script);
  if (result === undefined) throw new Error("the script does not end");
  return result;
}

const ROW = "IpInReceives                    2                  0.0\n";

test.each([
  { command: "nstat IpInReceives", output: `#kernel\n${ROW}` },
  { command: "nstat >/dev/null; nstat", output: "#kernel\n" },
  { command: "nstat -n; nstat -a ipinREC*", output: `#kernel\n${ROW}` },
  { command: "nstat -s IpInRec* >/dev/null; nstat 'Ip[!E]nReceive?'", output: `#kernel\n${ROW}` },
  { command: "nstat -n; nstat -rs IpInReceives; cat /tmp/.nstat.u0", output: `#kernel\n${ROW}` },
  { command: "nstat -as >/dev/null; ls /tmp/.nstat.u0 2>&1", output: "ls: cannot access '/tmp/.nstat.u0': No such file or directory\n" },
  { command: "nstat Nosuch; grep IpInRec /tmp/.nstat.u0", output: `#kernel\n${ROW}` },
  { command: "nstat -azj Nosuch; nstat -azjp Nosuch", output: '{"kernel":{}}\n{\n    "kernel": {}\n}\n' },
  { command: "nstat -j IpInRec* IpOutReq*", output: '{"kernel":{"IpInReceives":2,"IpOutRequests":2}}\n' },
  { command: "nstat -az TcpRtoMin IpForwarding TcpCurrEstab", output: "#kernel\n" },
  { command: "nstat -nz; wc -l < /tmp/.nstat.u0; ls -l /tmp/.nstat.u0 | cut -c 1-10", output: "307\n-rw-------\n" },
  { command: "echo '#other' > /tmp/h; NSTAT_HISTORY=/tmp/h nstat IpInRec*", output: `#other\n${ROW}` },
  { command: "printf '#kernel\\nIpInReceives 1 0.0\\n' > /tmp/h; NSTAT_HISTORY=/tmp/h nstat IpInRec*", output: `#kernel\n${ROW.replace("2", "1")}` },
  { command: "nstat --vers; nstat -t 5 -d 0 -as Nosuch", output: "nstat utility, iproute2-6.1.0\n#kernel\n" },
])("$command", ({ command, output }) => {
  expect(run(`ping -c 1 127.0.0.1 >/dev/null; ${command}`).stdout).toBe(output);
});

test.each([
  { command: "nstat -x", first: "nstat: invalid option -- 'x'", exit: 255 },
  { command: "nstat --foo", first: "nstat: unrecognized option '--foo'", exit: 255 },
  { command: "nstat --no", first: "nstat: option '--no' is ambiguous; possibilities: '--nooutput' '--noupdate'", exit: 255 },
  { command: "nstat -a -d", first: "nstat: option requires an argument -- 'd'", exit: 255 },
  { command: "nstat --scan", first: "nstat: option '--scan' requires an argument", exit: 255 },
  { command: "nstat -h", first: "Usage: nstat [OPTION] [ PATTERN [ PATTERN ] ]", exit: 255 },
  { command: "nstat -t x", first: "nstat: invalid time constant divisor", exit: 255 },
  { command: "echo bad line > /tmp/h; NSTAT_HISTORY=/tmp/h nstat", first: "nstat.c:146: error parsing history file", exit: 254 },
  { command: "NSTAT_HISTORY=/nosuch/h nstat", first: "nstat: open history file: No such file or directory", exit: 255 },
  { command: "mkdir /tmp/h; NSTAT_HISTORY=/tmp/h nstat", first: "nstat: open history file: Is a directory", exit: 255 },
])("$command", ({ command, first, exit }) => {
  const result = run(command);
  expect(result.stderr.split("\n")[0]).toBe(first);
  expect(result.exit).toBe(exit);
});
