/**
 * Natural logarithm and exponential function from additions, multiplications and divisions only: the same bits on every engine, which
 * Math.log and Math.exp do not promise (ECMA-262 21.3.2 leaves their precision to the implementation).
 *
 * Both are right to about 1e-15 of the result, far more than a drawn random number needs.
 */

const LN2_HIGH = 6.93147180369123816490e-1;
const LN2_LOW = 1.90821492927058770002e-10;
const SQRT2 = 1.4142135623730951;
const LN_TERMS = 13;
const EXP_TERMS = 19;
const view = new DataView(new ArrayBuffer(8));

/** ln x for a normal number above 0: x = m * 2^k with m near 1, ln m = 2 artanh((m - 1) / (m + 1)). */
export function ln(x: number): number {
  view.setFloat64(0, x);
  const high = view.getUint32(0);
  let exponent = (high >>> 20) - 1023;
  view.setUint32(0, (high & 0xfffff) | 0x3ff00000);
  let mantissa = view.getFloat64(0);
  if (mantissa > SQRT2) {
    mantissa /= 2;
    exponent++;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  let sum = 0;
  for (let i = LN_TERMS; i >= 0; i--) sum = sum * square + 1 / (2 * i + 1);
  return exponent * LN2_HIGH + (2 * s * sum + exponent * LN2_LOW);
}

/** e^x for x from -700 to 700: x = k ln 2 + r, e^r by its series. */
export function exp(x: number): number {
  const exponent = Math.round(x / (LN2_HIGH + LN2_LOW));
  const rest = x - exponent * LN2_HIGH - exponent * LN2_LOW;
  let sum = 1;
  for (let i = EXP_TERMS; i >= 1; i--) sum = 1 + (sum * rest) / i;
  return sum * powerOfTwo(exponent);
}

/** x^y for x above 0. */
export function power(x: number, y: number): number {
  return exp(y * ln(x));
}

function powerOfTwo(exponent: number): number {
  view.setUint32(0, (exponent + 1023) << 20);
  view.setUint32(4, 0);
  return view.getFloat64(0);
}
