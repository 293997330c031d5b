/**
 * The greatest common divisor of two weights, where 0 stands for "none yet".
 *
 * Linux 6.1 lib/math/gcd.c.
 */

/** gcd(0, b) is b. */
export function greatestCommonDivisor(a: number, b: number): number {
  let [greater, smaller] = [a, b];
  while (smaller !== 0) [greater, smaller] = [smaller, greater % smaller];
  return greater;
}
