import type { Mask } from './words.js';

/** Undefined for a body that is not JSON. */
export function jsonIn(body: string, mask?: Mask): unknown {
  try {
    return JSON.parse(
      body,
      mask && ((_key, value: unknown) => (typeof value === 'string' ? mask(value, true) : value)),
    );
  } catch {
    return undefined;
  }
}
