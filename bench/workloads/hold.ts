/**
 * One run of the hold model, in a process of its own: `node hold.js --queue=loop --pending=1000 --events=2000000`. Prints one JSON line.
 *
 * queue   the event queue alone, as the peers are run
 * loop    the whole event loop: ids, cancellation, the clock, a call for each event
 */

import { EventQueue } from "../../src/kernel/event-queue.ts";
import type { EventTarget } from "../../src/kernel/event-loop.ts";
import { SimulationLoop } from "../../src/kernel/loop.ts";
import { ArrayHeap, ObjectHeap } from "../peers/queues.mjs";
import { Delays } from "./hold-model.ts";
import { cpuSeconds, options, print } from "./measure.ts";

const OPTIONS = options({ queue: "queue", pending: 1000, events: 2_000_000, warm: 200_000 });

/** Steps a model by so many events and tells the time reached. */
type Stepper = (events: number) => number;

function ourQueue(pending: number): Stepper {
  const delays = new Delays();
  const queue = new EventQueue();
  for (let i = 0; i < pending; i++) queue.push(delays.next(), i);
  return (events) => {
    for (let i = 0; i < events; i++) {
      const slot = queue.pop(Number.POSITIVE_INFINITY);
      queue.push(queue.poppedTimeNs + delays.next(), slot);
    }
    return queue.poppedTimeNs;
  };
}

function peerQueue(queue: { push(time: number, id: number): void; pop(): number; readonly time: number }, pending: number): Stepper {
  const delays = new Delays();
  let now = 0;
  for (let i = 0; i < pending; i++) queue.push(delays.next(), i);
  return (events) => {
    for (let i = 0; i < events; i++) {
      const id = queue.pop();
      now = queue.time;
      queue.push(now + delays.next(), id);
    }
    return now;
  };
}

function ourLoop(pending: number): Stepper {
  const delays = new Delays();
  const loop = new SimulationLoop();
  class Holder implements EventTarget {
    onEvent(): void {
      loop.after(delays.next(), this);
    }
  }
  for (let i = 0; i < pending; i++) loop.at(delays.next(), new Holder());
  return (events) => {
    for (let i = 0; i < events; i++) loop.step();
    return loop.nowNs;
  };
}

const QUEUES: Readonly<Record<string, (pending: number) => Stepper>> = {
  queue: ourQueue,
  loop: ourLoop,
  "array-heap": (pending) => peerQueue(new ArrayHeap(), pending),
  "object-heap": (pending) => peerQueue(new ObjectHeap(), pending),
};

const make = QUEUES[OPTIONS.queue];
if (make === undefined) throw new Error(`--queue is one of ${Object.keys(QUEUES).join(", ")}`);
const step = make(OPTIONS.pending);
step(OPTIONS.warm);
const start = cpuSeconds();
const check = step(OPTIONS.events);
const seconds = cpuSeconds() - start;
print({ program: OPTIONS.queue, pending: OPTIONS.pending, events: OPTIONS.events, seconds, millionsPerSecond: OPTIONS.events / seconds / 1e6, nsPerEvent: (seconds * 1e9) / OPTIONS.events, check });
