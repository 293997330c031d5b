/**
 * A session keeps what was typed before.
 */

import { expect, test } from "vitest";
import { InteractiveSession } from "../../../../src/shell/interactive-session.ts";
import { makeShellWorld } from "../../../helpers/shell-run.ts";

function typeLines(lines: readonly string[]): { readonly output: string; readonly session: InteractiveSession } {
  const { machine, loop } = makeShellWorld();
  let output = "";
  const session = new InteractiveSession(machine, {
    onOutput: (_stream, text) => {
      output += text;
    },
  });
  for (const line of lines) {
    let isDone = false;
    session.runLine(line, () => {
      isDone = true;
    });
    while (!isDone && loop.step());
  }
  return { output, session };
}

test("variables, directory, functions and jobs stay", () => {
  const { output, session } = typeLines([
    "x=1; cd /tmp",
    "f() { echo f $x $PWD; }",
    "f",
    "nosuch",
    "echo $?",
    "echo $((1/0)); echo no",
    "echo on",
    "if",
    "echo ${y?}",
    "sleep 1 &",
    "sleep 2",
  ]);
  expect(output).toBe(
    'f 1 /tmp\nbash: nosuch: command not found\n127\nbash: 1/0: division by 0 (error token is "0")\non\nbash: line 2: syntax error: unexpected end of file\nbash: y: parameter not set\n' +
      `[1] ${/\[1\] (\d+)/.exec(output)?.[1]}\n[1]+  Done                    sleep 1\n`,
  );
  expect(session.prompt).toBe("[root@node tmp]# ");
});

test("exit ends the session, Ctrl-C only the foreground command", () => {
  const { machine, loop } = makeShellWorld();
  const session = new InteractiveSession(machine, { onOutput: () => {} });
  let status = -1;
  session.runLine("sleep 100", (exit) => {
    status = exit;
  });
  loop.runUntil(2e9);
  session.interrupt();
  loop.runUntil(3e9);
  expect([status, session.isAlive, session.isBusy]).toEqual([130, true, false]);
  session.runLine("exit 3", () => {});
  loop.runUntil(4e9);
  expect(session.isAlive).toBe(false);
});

test("completion and continuation", () => {
  const { session } = typeLines(["myfunc() { :; }"]);
  expect(session.complete("ipvs")).toEqual(["ipvsadm", "ipvsadm-restore", "ipvsadm-save"]);
  expect(session.complete("echo x; myf")).toEqual(["myfunc"]);
  expect(session.complete("cat /etc/host")).toEqual(["/etc/hostname", "/etc/hosts"]);
  expect(session.complete("ls /va")).toEqual(["/var/"]);
  expect(["echo 'a", "if true; then", "cat <<E", "echo \\", "for i in 1; do echo"].map((text) => session.needsMore(text))).toEqual([
    true,
    true,
    true,
    true,
    true,
  ]);
  expect(["echo a", "fi", "cat <<E\nx\nE\n"].map((text) => session.needsMore(text))).toEqual([false, false, false]);
});
