/**
 * Proportional rate reduction (RFC 6937): how many segments may leave while a loss is being repaired.
 */

import { expect, test } from "vitest";
import { Congestion } from "../../../../src/host/tcp/congestion.ts";

test.each([
  { what: "all but one lost: the first retransmission only", delivered: 1, inFlight: 0, isProgress: false, allowed: 1 },
  { what: "one lost, eight in flight: the forced retransmission", delivered: 1, inFlight: 8, isProgress: false, allowed: 1 },
  { what: "many delivered at once, little in flight: as many again", delivered: 4, inFlight: 1, isProgress: false, allowed: 4 },
  { what: "progress without a new loss: one more", delivered: 2, inFlight: 1, isProgress: true, allowed: 3 },
  { what: "never beyond the threshold", delivered: 9, inFlight: 3, isProgress: true, allowed: 4 },
])("$what", ({ delivered, inFlight, isProgress, allowed }) => {
  const congestion = new Congestion();
  congestion.enterRecovery(1000);
  expect(congestion.threshold).toBe(7);
  congestion.reduce(delivered, inFlight, isProgress);
  expect(congestion.window - inFlight).toBe(allowed);
});

test("with more in flight than the threshold, seven leave for ten that arrive", () => {
  const congestion = new Congestion();
  congestion.enterRecovery(1000);
  let sent = 0;
  let inFlight = 9;
  for (let i = 0; i < 2; i++) {
    inFlight--;
    congestion.reduce(1, inFlight, false);
    while (inFlight < congestion.window) {
      congestion.onSent();
      sent++;
      inFlight++;
    }
  }
  expect(sent).toBe(2);
  congestion.recovered();
  expect([congestion.state, congestion.window]).toEqual(["Open", 7]);
});
