/**
 * Processes and simulated time: background jobs, waiting, killing, pipelines, who keeps a script open, limits.
 */

import { expect, test } from "vitest";
import { runScript } from "../../../../src/shell/run-script.ts";
import { makeShellWorld, runToEnd } from "../../../helpers/shell-run.ts";

interface Case {
  readonly what: string;
  readonly script: string;
  readonly timeoutSeconds?: number;
  readonly exit: number;
  readonly stdout: string;
  readonly seconds: number;
}

function checkCase({ script, timeoutSeconds, exit, stdout, seconds }: Case): void {
  const result = runToEnd(makeShellWorld(), script, timeoutSeconds === undefined ? {} : { timeoutSeconds });
  expect({ exit: result?.exit, stdout: result?.stdout, seconds: result?.seconds }).toEqual({ exit, stdout, seconds });
}

test.each<Case>([
  { what: "sleep takes simulated time", script: "sleep 1.5; echo x", exit: 0, stdout: "x\n", seconds: 1.5 },
  { what: "a background process that holds the output keeps the script open", script: "sleep 2 & echo hi", exit: 0, stdout: "hi\n", seconds: 2 },
  { what: "one that is redirected does not", script: "sleep 2 > /dev/null 2>&1 & echo hi", exit: 0, stdout: "hi\n", seconds: 0 },
  { what: "background processes run at the same time", script: "sleep 1 & sleep 2 & sleep 3 & wait; echo done", exit: 0, stdout: "done\n", seconds: 3 },
  { what: "wait gives the status of the job", script: "(sleep 1; exit 7) & wait $!; echo $?", exit: 0, stdout: "7\n", seconds: 1 },
  {
    what: "wait -n ends with the first",
    script: "sleep 5 > /dev/null 2>&1 & (sleep 1; exit 3) & wait -n; echo $?; kill %1",
    exit: 0,
    stdout: "3\n",
    seconds: 1,
  },
  { what: "kill ends a sleeper at once", script: "sleep 100 & kill $!; wait $!; echo $?", exit: 0, stdout: "143\n", seconds: 0 },
  { what: "kill -9 of the shell itself", script: "echo a; kill -9 $$; echo b", exit: -9, stdout: "a\n", seconds: 0 },
  { what: "SIGTERM of the shell itself", script: "kill $$; echo b", exit: -15, stdout: "", seconds: 0 },
  {
    what: "a trap runs when the foreground command has ended",
    script: "trap 'echo trapped' TERM; (sleep 1; kill $$) & sleep 3; echo after",
    exit: 0,
    stdout: "trapped\nafter\n",
    seconds: 3,
  },
  {
    what: "a trap interrupts wait",
    script: "trap 'echo trapped' USR1; sleep 5 > /dev/null 2>&1 & p=$!; (sleep 1; kill -USR1 $$) & wait $p; echo $?; kill $p",
    exit: 0,
    stdout: "trapped\n138\n",
    seconds: 1,
  },
  {
    what: "an EXIT trap runs when a signal ends the shell",
    script: "trap 'echo bye' EXIT; (sleep 1; kill $$) & sleep 9 > /dev/null 2>&1; echo no",
    exit: -15,
    stdout: "bye\n",
    seconds: 1,
  },
  { what: "the time is over", script: "echo a; sleep 10; echo b", timeoutSeconds: 4, exit: 124, stdout: "a\n", seconds: 4 },
  { what: "timeout ends a command and what it started", script: "timeout 2 bash -c 'sleep 50; echo no'; echo $?", exit: 0, stdout: "124\n", seconds: 2 },
  { what: "SIGPIPE ends an endless writer", script: "yes | head -n 2; echo ${PIPESTATUS[0]}", exit: 0, stdout: "y\ny\n141\n", seconds: 0 },
  { what: "head -c takes what it wants and leaves", script: "yes x | head -c 5; echo; echo ${PIPESTATUS[@]}", exit: 0, stdout: "x\nx\nx\n141 0\n", seconds: 0 },
  { what: "an endless device ends with its reader", script: "cat < /dev/zero | head -c 3 | wc -c; echo ${PIPESTATUS[@]}", exit: 0, stdout: "3\n141 0 0\n", seconds: 0 },
  {
    what: "SIGPIPE ends an endless loop of builtins",
    script: "while true; do echo x; :; done | head -2; echo ${PIPESTATUS[@]}",
    exit: 0,
    stdout: "x\nx\n141 0\n",
    seconds: 0,
  },
  {
    what: "filters pass on that nobody reads",
    script: "yes | cat | cat -n | sed s/y/n/ | grep n | awk '{print $2}' | tr n m | nl | head -n 1; echo ${PIPESTATUS[@]}",
    exit: 0,
    stdout: "     1\tm\n141 141 141 141 141 141 141 141 0\n",
    seconds: 0,
  },
  { what: "sed stops reading where it quits", script: "yes | sed 2q; echo ${PIPESTATUS[@]}", exit: 0, stdout: "y\ny\n141 0\n", seconds: 0 },
  { what: "head prints lines as they come", script: "(echo a; sleep 1; echo b) | head -n 9 | while read x; do echo $x $SECONDS; done", exit: 0, stdout: "a 0\nb 1\n", seconds: 1 },
  { what: "what head leaves is there for the next", script: "printf abcdef | (head -c 2; echo; cat)", exit: 0, stdout: "ab\ncdef", seconds: 0 },
  { what: "a long loop ends by itself", script: "for i in $(seq 1 100000); do :; done; echo $i", exit: 0, stdout: "100000\n", seconds: 0 },
  { what: "/dev/urandom gives other characters each time", script: "a=$(tr -dc a-z < /dev/urandom | head -c 8); b=$(head -c 8 /dev/urandom | wc -c); c=$(tr -dc a-z < /dev/urandom | head -c 8); echo ${#a} $b; [ $a = $c ]", exit: 1, stdout: "8 8\n", seconds: 0 },
  { what: "standard input by name", script: "echo a | cat /dev/stdin; echo b | grep b /dev/fd/0", exit: 0, stdout: "a\nb\n", seconds: 0 },
  { what: "a script whose variable is not set ends with 1", script: "echo 'set -u; echo $x' > /tmp/u.sh; bash /tmp/u.sh 2> /dev/null; echo $?; bash -c 'set -u; echo $x' 2> /dev/null", exit: 127, stdout: "1\n", seconds: 0 },
  { what: "a pipeline streams", script: '(echo a; sleep 1; echo b) | while read x; do echo "$x $SECONDS"; done', exit: 0, stdout: "a 0\nb 1\n", seconds: 1 },
  { what: "read -t gives up", script: "sleep 5 | { read -t 2 x; echo $?; }", exit: 0, stdout: "142\n", seconds: 5 },
  {
    what: "jobs and kill %1",
    script: "sleep 9 & jobs; kill %1; wait; jobs; echo end",
    exit: 0,
    stdout: "[1]+  Running                 sleep 9 &\nend\n",
    seconds: 0,
  },
  { what: "stop and continue", script: "sleep 1 & kill -STOP $!; sleep 3; kill -CONT $!; wait $!; echo $SECONDS", exit: 0, stdout: "3\n", seconds: 3 },
  {
    what: "time shows simulated time",
    script: "{ time sleep 61.25; } 2>&1",
    exit: 0,
    stdout: "\nreal\t1m1.250s\nuser\t0m0.000s\nsys\t0m0.000s\n",
    seconds: 61.25,
  },
  {
    what: "a child of a killed shell goes on",
    script: "bash -c 'sleep 2; echo no; :' & sleep 1; kill $!; wait $!; echo $?",
    exit: 0,
    stdout: "143\n",
    seconds: 2,
  },
])("$what", checkCase);

test("limits end a script with an error that names host, line and limit", () => {
  const check = (script: string, limit: string, line: number): void => {
    const result = runToEnd(makeShellWorld({ stepsAtOneTimeMax: 20_000, processesMax: 100, outputMax: 10_000 }), script);
    expect({ script, limit: result?.limitError?.limit, host: result?.limitError?.host, line: result?.limitError?.line }).toEqual({
      script,
      limit,
      host: "node",
      line,
    });
  };
  check("echo\nwhile true; do :; done", "stepsAtOneTimeMax", 2);
  check("for ((;;)); do sleep 0; done", "stepsAtOneTimeMax", 1);
  check("x=$(cat < /dev/zero)", "expansionMax", 1);
  check("cat < /dev/zero > /dev/null", "stepsAtOneTimeMax", 1);
  check("f() { f; }\n\nf", "recursionMax", 1);
  check("g() { x=$(g); }; g", "processesMax", 1);
  check("while :; do echo 0123456789; done", "outputMax", 1);
  check("while :; do sleep 9 & done", "processesMax", 1);
  check("x=a\nwhile :; do x=$x$x; done", "expansionMax", 2);
  check("echo {1..9999}{1..9999}", "expansionMax", 1);
});

test("a script that nobody waits for goes on until it writes", () => {
  const world = makeShellWorld();
  const running = runScript(world.machine, "sleep 2; echo x > /tmp/a; sleep 2; echo out; echo y > /tmp/b", {});
  world.loop.runUntil(1e9);
  running.abandon();
  world.loop.runUntil(10e9);
  const { files } = world.machine;
  expect([files.exists("/tmp/a"), files.exists("/tmp/b"), running.stdout]).toEqual([true, false, ""]);
});

test("Ctrl-C ends what runs in the foreground and the shell", () => {
  const world = makeShellWorld();
  const running = runScript(world.machine, "echo a; sleep 100; echo b", {});
  world.loop.runUntil(1e9);
  running.interrupt();
  expect([running.exit, running.stdout]).toEqual([-2, "a\n"]);
});

test("a subshell in the background that was redirected holds no output open", () => {
  const world = makeShellWorld();
  const running = runScript(world.machine, "(sleep 100; echo late > /tmp/late) > /dev/null 2>&1 & echo now", {});
  world.loop.runUntil(1e9);
  expect([running.exit, running.stdout]).toEqual([0, "now\n"]);
  world.loop.runUntil(200e9);
  expect(world.machine.files.exists("/tmp/late")).toBe(true);
});

test("a crash ends everything without a word", () => {
  const world = makeShellWorld();
  const running = runScript(world.machine, "trap 'echo bye' EXIT; sleep 100", {});
  world.loop.runUntil(1e9);
  world.machine.processes.crash();
  expect([world.machine.processes.list.length, running.stdout]).toEqual([0, ""]);
});

test("files outside the writable places are read-only once a script has run", () => {
  const world = makeShellWorld();
  world.machine.files.write("/etc/motd", "welcome\n");
  const result = runToEnd(
    world,
    "cat /etc/motd; echo x > /etc/motd; cat /etc/motd; echo x > /bin/ls; echo x > /usr/x; echo x > /tmp/x; echo 7 > /proc/sys/net/ipv4/nosuch; echo junk > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/net/arp",
  );
  expect(result?.stdout).toBe("welcome\nx\n");
  expect(result?.stderr).toBe(
    "/bin/bash: line 1: /bin/ls: Read-only file system\n/bin/bash: line 1: /usr/x: Read-only file system\n/bin/bash: line 1: /proc/sys/net/ipv4/nosuch: No such file or directory\n" +
      "/bin/bash: line 1: echo: write error: Invalid argument\n/bin/bash: line 1: /proc/net/arp: Permission denied\n",
  );
});
