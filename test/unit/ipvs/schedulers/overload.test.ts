/**
 * The overload flag under both sets of rules.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type OverloadRules, overloadByEvent, overloadByTotal, type SchedulerDest, schedulerDest } from "../../../../src/ipvs/schedulers/index.ts";

/** "+" binds a connection, "-" lets one go, "i" makes one inactive, "t" binds a template, "x5" or "x8y2" edits the thresholds. */
function live(rules: OverloadRules, life: string): string {
  const dest = schedulerDest({ address: 1, port: 80 });
  return life
    .split(" ")
    .map((event) => {
      act(rules, dest, event);
      return dest.overloaded ? "#" : ".";
    })
    .join("");
}

function act(rules: OverloadRules, dest: SchedulerDest, event: string): void {
  if (event === "+") {
    dest.activeConns += 1;
    dest.totalConns += 1;
    rules.connBound(dest, false);
  } else if (event === "-") {
    if (dest.activeConns > 0) dest.activeConns -= 1;
    else dest.inactConns -= 1;
    dest.totalConns -= 1;
    rules.connUnbound(dest, false);
  } else if (event === "i") {
    dest.activeConns -= 1;
    dest.inactConns += 1;
  } else if (event === "t") {
    dest.persistConns += 1;
    rules.connBound(dest, true);
  } else {
    const [, upper, lower = "0"] = /^x(\d+)(?:y(\d+))?$/.exec(event) ?? [];
    rules.thresholdsSet(dest, { upper: Number(upper), lower: Number(lower) });
  }
}

describe("up to 6.1.182", () => {
  test.each([
    { title: "the limit sets the flag", life: "x3 + + + +", flags: "...##" },
    { title: "inactive connections count", life: "x3 + + + i i i", flags: "...####" },
    { title: "without a lower limit it falls under three quarters", life: "x4 + + + + - -", flags: "....##." },
    { title: "with a lower limit it falls under that", life: "x4y2 + + + + - - -", flags: "....###." },
    { title: "a higher limit clears it", life: "x2 + + x5 + + +", flags: "..#...#" },
    { title: "a lower limit leaves it until the next event", life: "x5 + + + x2 +", flags: ".....#" },
    { title: "no limit clears it", life: "x2 + + x0 +", flags: "..#.." },
    { title: "a template at the limit sets it", life: "x2 + x1 t", flags: "...#" },
  ])("$title: $life -> $flags", ({ life, flags }) => {
    expect(live(overloadByEvent, life)).toBe(flags);
  });
});

describe("6.1.183 and later", () => {
  test.each([
    { title: "the limit sets the flag", life: "x3 + + + +", flags: "...##" },
    { title: "without a lower limit it falls at three quarters", life: "x4 + + + + - -", flags: "....##." },
    { title: "with a lower limit it falls under that", life: "x4y2 + + + + - - -", flags: "....###." },
    { title: "a higher limit judges anew", life: "x2 + + x5 + + +", flags: "..#...#" },
    { title: "a lower limit sets it at once", life: "x5 + + + x2 +", flags: "....##" },
    { title: "no limit clears it", life: "x2 + + x0 +", flags: "..#.." },
    { title: "templates do not count", life: "x2 + x1 t", flags: "..##" },
    { title: "an edit between the thresholds changes nothing", life: "x4y1 + + + + - x5y1", flags: "....###" },
  ])("$title: $life -> $flags", ({ life, flags }) => {
    expect(live(overloadByTotal, life)).toBe(flags);
  });
});

test.each([
  ["up to 6.1.182", overloadByEvent],
  ["6.1.183 and later", overloadByTotal],
] as const)("%s: a server without limits is never overloaded, one below half its only limit neither", (_, rules) => {
  const events = fc.array(fc.constantFrom("+", "-", "i"), { maxLength: 60 });
  fc.assert(
    fc.property(events, fc.nat(9), (list, upper) => {
      const dest = schedulerDest({ address: 1, port: 80 });
      act(rules, dest, `x${upper}`);
      for (const event of list) {
        if (event === "-" && dest.totalConns === 0) continue;
        if (event === "i" && dest.activeConns === 0) continue;
        act(rules, dest, event);
        if (upper === 0 || dest.totalConns * 2 < upper) expect(dest.overloaded).toBe(false);
        if (upper > 0 && dest.totalConns >= upper) expect(dest.overloaded).toBe(true);
      }
    }),
  );
});
