/**
 * Scripts whose outputs were recorded from GNU bash 5.2.15 (and dash for `sh`) as `/bin/bash -c SCRIPT`, LC_ALL=C.
 */

import { expect, test } from "vitest";
import { makeShellWorld, runToEnd } from "../../../helpers/shell-run.ts";
import recorded from "./recorded.json" with { type: "json" };

interface Recording {
  readonly script: string;
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

function checkRecording({ script, exit, stdout, stderr }: Recording): void {
  const result = runToEnd(makeShellWorld(), script);
  expect({ exit: result?.exit, stdout: result?.stdout, stderr: result?.stderr }).toEqual({ exit, stdout, stderr });
}

test("there are recordings", () => {
  expect(recorded.length).toBeGreaterThan(150);
});

test.each(recorded.map((one) => ({ ...one, name: one.script.trim().split("\n").join(" ; ").slice(0, 60) })))("$name", checkRecording);
