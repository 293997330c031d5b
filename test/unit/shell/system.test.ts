/**
 * The ordinary commands, run by the shell of a whole machine. Expectations are what the real programs printed on Debian 12 in the C locale.
 */

import { expect, test } from "vitest";
import { NS_PER_SECOND } from "../../../src/base/time.ts";
import { SimulationLoop } from "../../../src/kernel/loop.ts";
import { RandomStreams } from "../../../src/kernel/random.ts";
import { createLinuxMachine } from "../../../src/shell/machine-builder.ts";
import { runScript, type ScriptResult } from "../../../src/shell/run-script.ts";
import { Tracer } from "../../../src/trace/tracer.ts";

interface Case {
  readonly script: string;
  readonly stdout?: string;
  readonly stderr?: string;
  readonly exit?: number;
}

function runOnMachine(script: string): ScriptResult {
  const loop = new SimulationLoop();
  const machine = createLinuxMachine({ name: "node1", loop, trace: new Tracer(loop), random: new RandomStreams(1), epochSeconds: 1234567890, programStartNs: 0 });
  let result: ScriptResult | undefined;
  runScript(machine, `cd /tmp\nprintf 'a\\nb\\nc\\nd\\ne\\nf\\ng\\nh\\n' > A\nprintf 'a\\nB\\nc\\nd\\ne\\nf\\ng2\\nh\\ni' > B\n${script}`, {
    timeoutNs: 60 * NS_PER_SECOND,
    onEnd: (end) => {
      result = end;
    },
  });
  loop.runUntil(100 * NS_PER_SECOND);
  if (result === undefined) throw new Error("the script did not end");
  return result;
}

function check({ script, stdout = "", stderr = "", exit = 0 }: Case): void {
  const result = runOnMachine(script);
  expect({ stdout: result.stdout, stderr: result.stderr, exit: result.exit }).toEqual({ stdout, stderr, exit });
}

test.each<Case>([
  { script: "/bin/echo -e 'a\\tb'", stdout: "a\tb\n" },
  { script: "/usr/bin/printf '%d\\n' abc", stdout: "0\n", stderr: "/usr/bin/printf: 'abc': expected a numeric value\n", exit: 1 },
  { script: "/usr/bin/printf '%s-%s\\n' a b c", stdout: "a-b\nc-\n" },
  { script: "yes | head -2", stdout: "y\ny\n" },
  { script: "expr 2 + 3 '*' 4", stdout: "14\n" },
  { script: "expr 5 : 5x", stdout: "0\n", exit: 1 },
  { script: "expr abcd : 'a\\(.*\\)d'", stdout: "bc\n" },
  { script: "expr 1 +", stderr: "expr: syntax error: missing argument after '+'\n", exit: 2 },
  { script: "expr 1 / 0", stderr: "expr: division by zero\n", exit: 2 },
  { script: "sleep x", stderr: "sleep: invalid time interval 'x'\nTry 'sleep --help' for more information.\n", exit: 1 },
  { script: "date +%s; sleep 1.5; date '+%s %N'", stdout: "1234567890\n1234567891 500000000\n" },
])("printing, expr, sleep: $script", check);

test.each<Case>([
  { script: "timeout 0.2 sleep 5", exit: 124 },
  { script: "timeout --preserve-status 0.2 sleep 5", exit: 143 },
  { script: "timeout 1 nosuch", stderr: "timeout: failed to run command 'nosuch': No such file or directory\n", exit: 127 },
  { script: "timeout 1 /etc/passwd", stderr: "timeout: failed to run command '/etc/passwd': Permission denied\n", exit: 126 },
  { script: "timeout x true", stderr: "timeout: invalid time interval 'x'\nTry 'timeout --help' for more information.\n", exit: 125 },
  { script: "timeout -k 0.2 0.2 bash -c 'trap \"\" TERM; sleep 3' 2>/dev/null; date +%s", stdout: "1234567890\n" },
  { script: "timeout 5 false", exit: 1 },
  // A background program whose outputs go elsewhere does not hold the script's open.
  { script: "sleep 1000 > /dev/null 2> err & echo started", stdout: "started\n" },
  { script: "env -i A=1 env", stdout: "A=1\n" },
  { script: "env FOO=1 BAR", stderr: "env: 'BAR': No such file or directory\n", exit: 127 },
  { script: "env -u HOME printenv HOME", exit: 1 },
  { script: "nohup echo hi", stdout: "hi\n" },
  { script: "nohup nosuch", stderr: "nohup: failed to run command 'nosuch': No such file or directory\n", exit: 127 },
  { script: "timeout 1 watch -t -n 0.4 echo hi", stdout: "hi\nhi\nhi\n", exit: 124 },
  { script: "which ls nosuch", stdout: "/usr/bin/ls\n", exit: 1 },
  { script: "su -c 'echo hi'", stdout: "hi\n" },
])("running others: $script", check);

test.each<Case>([
  { script: "date", stdout: "Fri Feb 13 23:31:30 UTC 2009\n" },
  { script: "date -d @0 '+%c|%x|%D|%e|%k|%I|%l|%j|%U|%V|%u|%w|%p|%r|%R|%h|%C|%y|%G|%g|%-d|%_H|%^a|%%|%F|%T'", stdout: "Thu Jan  1 00:00:00 1970|01/01/70|01/01/70| 1| 0|12|12|001|00|01|4|4|AM|12:00:00 AM|00:00|Jan|19|70|1970|70|1| 0|THU|%|1970-01-01|00:00:00\n" },
  { script: "date -R; date -Iseconds; date -I; date '+%j %U %V %W %q %3N %:z'", stdout: "Fri, 13 Feb 2009 23:31:30 +0000\n2009-02-13T23:31:30+00:00\n2009-02-13\n044 06 07 06 1 000 +00:00\n" },
  { script: "date -d '2024-02-29 12:00:00' +%s", stdout: "1709208000\n" },
  { script: "date foo", stderr: "date: invalid date 'foo'\n", exit: 1 },
    { script: "date -s 2020-01-01; date +%F; date -u 030405062021.07; date -s nonsense", stdout: "Wed Jan  1 00:00:00 UTC 2020\n2020-01-01\nThu Mar  4 05:06:07 UTC 2021\n", stderr: "date: invalid date 'nonsense'\n", exit: 1 },
  { script: "id; id -u; id -un; whoami; arch; nproc; uname; uname -rn", stdout: "uid=0(root) gid=0(root) groups=0(root)\n0\nroot\nroot\nx86_64\n1\nLinux\nnode1 6.1.176\n" },
  { script: "uname -a", stdout: "Linux node1 6.1.176 #1 Sat Jul  4 15:38:16 UTC 2026 x86_64 GNU/Linux\n" },
  { script: "hostname; hostname rs1; hostname -s", stdout: "node1\nrs1\n" },
  { script: "tty", stdout: "not a tty\n", exit: 1 },
  { script: "uptime -p; free | head -1", stdout: "up 0 minutes\n               total        used        free      shared  buff/cache   available\n" },
])("identity and time: $script", check);

test.each<Case>([
  { script: "exec 2>/dev/null; sleep 50 & pgrep -c -x sleep; pkill -n -x sleep; sleep 0.1; pgrep -fl 'sleep 5[0]'; pgrep -x sleep", stdout: "2\n100 bash\n1\n" },
  { script: "sleep 50 & ps -o comm=,args= -p $!; ps -o pid,ppid,user,stat -p 1", stdout: "sleep           sleep 50\n  PID  PPID USER     STAT\n    1     0 root     S\n" },
  { script: "ps -p 1; ps -f -p 1; ps ax | head -2", stdout: "  PID TTY          TIME CMD\n    1 ?        00:00:00 sleep\nUID        PID  PPID  C STIME TTY          TIME CMD\nroot         1     0  0 23:31 ?        00:00:00 sleep infinity\n  PID TTY      STAT   TIME COMMAND\n    1 ?        S      0:00 sleep infinity\n" },
  { script: "ps -o foo 2>&1 | head -1", stdout: 'error: unknown user-defined format specifier "foo"\n' },
  { script: "killall nosuch", stderr: "nosuch: no process found\n", exit: 1 },
  { script: "killall -q nosuch", exit: 1 },
  { script: "/bin/kill 30000", stderr: "/bin/kill: (30000): No such process\n", exit: 1 },
  { script: "/bin/kill -l 9; /bin/kill -l TERM", stdout: "KILL\n15\n" },
  { script: "pgrep", stderr: "pgrep: no matching criteria specified\nTry `pgrep --help' for more information.\n", exit: 2 },
  { script: "pidof nosuch", exit: 1 },
])("processes: $script", check);

test.each<Case>([
  { script: "md5sum A B; sha1sum < A", stdout: "3915237e72677da8915c41d8235f3852  A\nc016cfee42ab0983e0286310a8a6d49b  B\nb268880609184f366a683b0440f4230680aad76b  -\n" },
  { script: "printf abc | sha256sum; md5sum A > M; md5sum -c M", stdout: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -\nA: OK\n" },
  { script: "base64 A; base64 -w 8 A | head -1; base64 A | base64 -d | head -1", stdout: "YQpiCmMKZAplCmYKZwpoCg==\nYQpiCmMK\na\n" },
  { script: "od -A x -t x1 A; od -c A | head -1; od A; od -An -tx1 A", stdout: "000000 61 0a 62 0a 63 0a 64 0a 65 0a 66 0a 67 0a 68 0a\n000010\n0000000   a  \\n   b  \\n   c  \\n   d  \\n   e  \\n   f  \\n   g  \\n   h  \\n\n0000000 005141 005142 005143 005144 005145 005146 005147 005150\n0000020\n 61 0a 62 0a 63 0a 64 0a 65 0a 66 0a 67 0a 68 0a\n" },
  { script: "hexdump -C A; hexdump A; xxd A; xxd -l 5 A; xxd -p A", stdout: "00000000  61 0a 62 0a 63 0a 64 0a  65 0a 66 0a 67 0a 68 0a  |a.b.c.d.e.f.g.h.|\n00000010\n0000000 0a61 0a62 0a63 0a64 0a65 0a66 0a67 0a68\n0000010\n00000000: 610a 620a 630a 640a 650a 660a 670a 680a  a.b.c.d.e.f.g.h.\n00000000: 610a 620a 63                             a.b.c\n610a620a630a640a650a660a670a680a\n" },
  { script: "dd if=/dev/zero bs=100 count=1 status=none | hexdump -C", stdout: "00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n*\n00000060  00 00 00 00                                       |....|\n00000064\n" },
  { script: "dd if=A of=C bs=4 count=2; cat C", stdout: "a\nb\nc\nd\n", stderr: "2+0 records in\n2+0 records out\n8 bytes copied, 0 s, Infinity B/s\n" },
  { script: "dd if=/nonesuch", stderr: "dd: failed to open '/nonesuch': No such file or directory\n", exit: 1 },
])("bytes: $script", check);

test.each<Case>([
  { script: "diff A B", stdout: "2c2\n< b\n---\n> B\n7c7\n< g\n---\n> g2\n8a9\n> i\n\\ No newline at end of file\n", exit: 1 },
  { script: "diff -u --label x --label y A B", stdout: "--- x\n+++ y\n@@ -1,8 +1,9 @@\n a\n-b\n+B\n c\n d\n e\n f\n-g\n+g2\n h\n+i\n\\ No newline at end of file\n", exit: 1 },
  { script: "diff A A && diff -q A B", stdout: "Files A and B differ\n", exit: 1 },
  { script: "diff A nosuch", stderr: "diff: nosuch: No such file or directory\n", exit: 2 },
  { script: "cmp A B", stdout: "A B differ: char 3, line 2\n", exit: 1 },
  { script: "printf 'abc' > X; printf abcd > Y; cmp X Y", stderr: "cmp: EOF on X after byte 3, in line 1\n", exit: 1 },
  { script: "printf 'a\\nb\\n' > X; printf 'b\\nc\\n' > Y; comm X Y; comm -12 X Y", stdout: "a\n\t\tb\n\tc\nb\n" },
  { script: "printf 'x 1\\ny 2\\n' > X; printf 'x a\\nz b\\n' > Y; join X Y; join -a1 X Y", stdout: "x 1 a\nx 1 a\ny 2\n" },
  { script: "printf 'aa:b\\nc:ddd:e\\n' | column -t -s : -o '|'; seq 30 | column | head -1", stdout: "aa|b  |\nc |ddd|e\n1\t4\t7\t10\t13\t16\t19\t22\t25\t28\n" },
  { script: "printf 'a\\tb\\n' | expand", stdout: "a       b\n" },
])("comparing and layout: $script", check);

test.each<Case>([
  { script: "modprobe ip_vs; modprobe -a ip_vs ip_vs_rr; modprobe ipip", stdout: "" },
  { script: "modprobe nosuchmod", stderr: "modprobe: FATAL: Module nosuchmod not found in directory /lib/modules/6.1.176\n", exit: 1 },
  { script: "lsmod | grep -c ^ip_vs_rr; lsmod | head -1", stdout: "1\nModule                  Size  Used by\n" },
  { script: "rmmod nosuch", stderr: "rmmod: ERROR: Module nosuch is not currently loaded\n", exit: 1 },
  { script: "insmod nosuch.ko", stderr: "insmod: ERROR: could not load module nosuch.ko: No such file or directory\n", exit: 1 },
  { script: "yum install -y ipvsadm; ntpdate x; service nosuch start; systemctl status httpd; systemctl enable httpd.service", stdout: "" },
  { script: "ipvsadm --set -1 2 3 2>&1 | head -n 1; ipvsadm --set -1 2 3 2> /dev/null", stdout: "-1: unknown option\n", exit: 255 },
  { script: "service httpd start; pgrep -l apache2 | wc -l; systemctl stop httpd.service; pgrep apache2", stdout: "1\n", exit: 1 },
  { script: "iptables -A INPUT -j DROP; systemctl stop firewalld; iptables -S INPUT", stdout: "-P INPUT ACCEPT\n" },
  { script: "logger -t foo hello; cat /var/log/messages", stdout: "Feb 13 23:31:30 node1 foo: hello\n" },
  { script: "df", stderr: "df: lvsim: this program is not simulated\n", exit: 1 },
  { script: "mount /dev/sdb1 /mnt", stderr: "mount: lvsim: mounting is not simulated (/dev/sdb1 /mnt)\n", exit: 1 },
  { script: "mount | grep -c ^proc; sync; du -s A", stdout: "1\n4\tA\n" },
])("modules, services, logs: $script", check);
