/** A stream of numbers in [0, 1) that a seed fixes (mulberry32): the same seed and the same requests give the same run. */
export type Random = () => number;

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Like the IDs of Zuora objects: 32 hexadecimal digits, with a prefix that stays the same within a tenant. */
export function objectId(random: Random): string {
  const digits = Array.from({ length: 28 }, () => Math.floor(random() * 16).toString(16));
  return `8ad0${digits.join('')}`;
}
