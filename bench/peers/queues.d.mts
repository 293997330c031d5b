/** A queue that holds a number for each event, in order of (time, order of pushing). */
export interface PeerQueue {
  readonly size: number;
  /** Time of what was popped last. */
  readonly time: number;
  push(time: number, id: number): void;
  pop(): number;
}

export class ArrayHeap implements PeerQueue {
  constructor(capacity?: number);
  readonly size: number;
  readonly time: number;
  push(time: number, id: number): void;
  pop(): number;
}

export class ObjectHeap implements PeerQueue {
  readonly size: number;
  readonly time: number;
  push(time: number, id: number): void;
  pop(): number;
}
