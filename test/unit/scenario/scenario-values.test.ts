import { expect, test } from "vitest";
import { matchesExpectation } from "../../../src/scenario/scenario-values.ts";

test.each([
  { expected: "a\nb\n", actual: "a\r\nb\r\n", isMet: true },
  { expected: "a\r\nb\r\n", actual: "a\r\nb\r\n", isMet: true },
  { expected: "a\r\nb\r\n", actual: "a\nb\n", isMet: false },
  { expected: "/^200 OK$/", actual: "200 OK\r\n", isMet: true },
  { expected: "/200 OK\\n/", actual: "200 OK\r\n", isMet: true },
  { expected: "/200 OK\\r\\n/", actual: "200 OK\r\n", isMet: true },
  { expected: "a\nb", actual: "a\rb", isMet: true },
  { expected: "ab", actual: "a\rb", isMet: false },
])("$expected for $actual", ({ expected, actual, isMet }) => {
  expect(matchesExpectation(expected, actual)).toBe(isMet);
});
