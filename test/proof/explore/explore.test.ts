/** The explorer: the small spaces are complete, it finds what is broken, and what it leaves out changes nothing. */
import { describe, expect, test } from 'vitest';
import { essenceOf } from '../../../proof/explore/essence.js';
import { explore } from '../../../proof/explore/explore.js';
import { BUGS } from '../../../proof/explore/planted.js';
import { rulesIn } from '../../../proof/explore/rules.js';
import { SMALL } from '../../../proof/explore/spaces.js';
import type { Bounds, World } from '../../../proof/explore/state.js';
import { Model } from '../../../proof/explore/world.js';
import { startScript } from '../script.js';

const command = (...args: readonly string[]) => startScript('explore', args).ended;

interface Result {
  readonly space: string;
  readonly states: number;
  readonly transitions: number;
  readonly broken: unknown;
}

test('no life within the small bounds breaks a rule', async () => {
  const { stdout, code } = await command('--json');
  const { results } = JSON.parse(stdout) as { readonly results: readonly Result[] };
  expect(results.map(({ space }) => space)).toEqual(SMALL.map(({ name }) => name));
  for (const { space, states, transitions, broken } of results) {
    expect(broken, space).toBeNull();
    expect(states, space).toBeGreaterThan(20);
    expect(transitions, space).toBeGreaterThan(states);
  }
  expect(code).toBe(0);
});

test('each planted bug is found, by the rule that it breaks; there is one for each rule', async () => {
  const { stdout, code } = await command('--planted', '--json');
  const found = JSON.parse(stdout) as readonly { name: string; rule: number; brokenRule: number; life: string[] }[];
  expect(found.map(({ name, brokenRule }) => [name, brokenRule])).toEqual(BUGS.map(({ name, rule }) => [name, rule]));
  expect(new Set(found.map(({ rule }) => rule))).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
  for (const { name, life } of found) expect(life.length, name).toBeGreaterThan(1);
  expect(code).toBe(0);
});

describe('What the explorer leaves out changes nothing', () => {
  /** Those with a few thousand states. */
  const few = SMALL.filter(({ name }) => name !== 'one send');

  test.each(few)('$name: moments that count as the same go on alike', async ({ beginning, bounds }) => {
    const rules = await rulesIn();
    const model = new Model(rules, bounds);
    const first = new Map<string, string>();
    let compared = 0;
    explore(rules, beginning, bounds, {
      onState: (world, name) => first.set(name, JSON.stringify(world)),
      onMerge: (again, name) => {
        const known = first.get(name);
        if (known === undefined || again.end !== null) return;
        const before = JSON.parse(known) as World;
        // With the same left of its bounds.
        const json = JSON.stringify({ ...again, used: before.used });
        if (json === known) return;
        compared += 1;
        expect(next(model, json, bounds)).toEqual(next(model, known, bounds));
      },
    });
    expect(compared).toBeGreaterThan(0);
  });

  test('no rule changes what the copies share', async () => {
    const rules = await rulesIn();
    for (const { beginning, bounds } of few) {
      // A change of what is frozen throws.
      expect(explore(rules, beginning, bounds, { onWorld: freeze }).broken).toBeNull();
    }
  });
});

/** What can happen next, and where it leads. */
function next(model: Model, json: string, bounds: Bounds): readonly string[] {
  return [...model.successors(json)].map(({ name, world }) => `${name} => ${essenceOf(world, bounds)}`);
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  Object.freeze(value);
  for (const each of Object.values(value)) freeze(each);
}

test.each([
  [['--worker', '99', '--into', 'nowhere'], '--worker needs a number from 1 to 15'],
  [['--deep'], "unknown option '--deep'"],
])('%j is refused', async (args, words) => {
  const { code, stdout, stderr } = await command(...args);
  expect(stderr).toContain(words);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});
