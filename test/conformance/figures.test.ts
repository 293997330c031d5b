/**
 * The figures of docs/FIDELITY.md are those of today.
 */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FIDELITY, withFigures } from "../../kernel/fidelity.ts";

test("docs/FIDELITY.md tells how many recordings agree (else: npm run kernel -- figures)", () => {
  const text = readFileSync(FIDELITY, "utf8");
  expect(text).toMatch(/\d+ of \d+ recordings agree/);
  expect(text).toMatch(/[\d,]+ picks of \d+ drawn scripts/);
  expect(text).toBe(withFigures(text));
});
