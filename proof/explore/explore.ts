/**
 * Breadth-first through all lives within bounds. Two moments count as the same if they differ only in what no rule reads, or in when they
 * are: `test/proof/explore` shows that such moments go on alike.
 */
import { hash } from 'node:crypto';
import { essenceOf } from './essence.js';
import { Broken, type Rule } from './ten-rules.js';
import type { Beginning, Bounds, World } from './state.js';
import { Model } from './world.js';
import type { Rules } from './rules.js';

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  /** The longest of the shortest lives that lead to a state, in steps. */
  readonly steps: number;
  /** The most states that waited to be looked at. */
  readonly widest: number;
  readonly broken: BrokenLife | null;
}

export interface BrokenLife {
  readonly rule: Rule;
  readonly what: string;
  /** The shortest life that breaks the rule. */
  readonly life: readonly string[];
}

/** For tests. */
export interface Watcher {
  /** A moment was found; or another one that counts as the same, by the name that both have. */
  readonly onState?: (world: World, name: string) => void;
  readonly onMerge?: (again: World, name: string) => void;
  /** Before the lives from it are explored. */
  readonly onWorld?: (world: World) => void;
}

export function explore(
  rules: Rules,
  beginning: Beginning,
  bounds: Bounds,
  { onState, onMerge, onWorld }: Watcher = {},
): Explored {
  const model = new Model(rules, bounds);
  const found = new Found();
  const nameOf = (world: World): string => hash('sha1', essenceOf(world, bounds), 'base64');
  /** How each state was reached: the one before, and what happened. */
  const before: number[] = [];
  const names: string[] = [];
  let transitions = 0;
  let steps = 0;
  let widest = 1;
  let index = 0;
  const lifeTo = (last: number): string[] => {
    const life: string[] = [];
    for (let at = last; at > 0; at = before[at] ?? 0) life.unshift(names[at] ?? '');
    return life;
  };
  const result = (broken: BrokenLife | null): Explored => {
    return { states: before.length, transitions, steps, widest, broken };
  };
  try {
    const first = model.first(beginning);
    let level = [{ index: 0, json: JSON.stringify(first), name: nameOf(first) }];
    found.add(nameOf(first), first.used);
    before.push(0);
    names.push('');
    for (; level.length > 0; steps++) {
      const following: typeof level = [];
      for (const { json, name: own, ...at } of level) {
        index = at.index;
        for (const next of model.successors(json, onWorld)) {
          const { world } = next;
          transitions += 1;
          const name = nameOf(world);
          // Nothing happened that a rule could read.
          if (name === own) continue;
          if (!found.add(name, world.used)) {
            onMerge?.(world, name);
            continue;
          }
          onState?.(world, name);
          following.push({ index: before.length, json: JSON.stringify(world), name });
          before.push(index);
          names.push(next.name);
        }
      }
      level = following;
      widest = Math.max(widest, level.length);
    }
    return result(null);
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    const { step, rule, message: what } = error;
    return result({ rule, what, life: [...lifeTo(index), ...(step === '' ? [] : [step])] });
  }
}

/** The moments found so far, each with what its lives had used of the bounds. */
class Found {
  private readonly used = new Map<string, number | number[]>();

  /** @returns false if the same moment was found before by a life that had used no more */
  add(name: string, used: World['used']): boolean {
    const amount = packed(used);
    const known = this.used.get(name);
    if (known === undefined) this.used.set(name, amount);
    else if (typeof known === 'number') {
      if (isWithin(known, amount)) return false;
      this.used.set(name, isWithin(amount, known) ? amount : [known, amount]);
    } else {
      if (known.some((each) => isWithin(each, amount))) return false;
      this.used.set(name, [...known.filter((each) => !isWithin(amount, each)), amount]);
    }
    return true;
  }
}

/** Four bits for each. */
function packed(used: World['used']): number {
  return Object.values(used).reduce((sum, each) => sum * 16 + each, 0);
}

function isWithin(one: number, other: number): boolean {
  for (let left = one, right = other; left > 0; left = left >> 4, right = right >> 4) {
    if ((left & 15) > (right & 15)) return false;
  }
  return true;
}
