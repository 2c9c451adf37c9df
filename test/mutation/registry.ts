/** What the mutated modules' tests import in place of vitest: it collects them, so that one process can run each a thousand times. */
import { expect as vitestExpect, vi as vitestVi } from 'vitest';

export interface Collected {
  readonly name: string;
  readonly run: () => unknown;
}

export const expect = vitestExpect;
export const vi = vitestVi;

export const collected: Collected[] = [];
const around: string[] = [];

type Body = (...values: readonly unknown[]) => unknown;

function collectTest(name: string, ...given: readonly unknown[]): void {
  const run = given.find((each) => typeof each === 'function') as Body;
  collected.push({ name: [...around, name].join(': '), run });
}

function collectGroup(name: string, body: Body): void {
  around.push(name);
  body();
  around.pop();
}

/** As vitest does: an array gives the arguments, anything else is the argument. */
function eachOf(collect: (name: string, body: Body) => void) {
  return (table: readonly unknown[]) => (name: string, body: Body) => {
    for (const row of table) {
      const values: readonly unknown[] = Array.isArray(row) ? row : [row];
      collect(`${name} ${JSON.stringify(values[0])}`, () => body(...values));
    }
  };
}

export const test = Object.assign(collectTest, { each: eachOf(collectTest) });
export const describe = Object.assign(collectGroup, { each: eachOf(collectGroup) });
