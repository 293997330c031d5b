/**
 * Assertions for our own bugs. They stay on: a wrong simulation that goes on is worse than one that stops.
 */

export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/**
 * Throws AssertionError when `condition` is false. The message says what was expected and what was found. It is made whether the
 * condition holds or not: where every packet passes, write `if (!condition) broken(...)`, which makes it only when it is needed.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Throws AssertionError. */
export function broken(message: string): never {
  throw new AssertionError(message);
}

/** For the `default` of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
