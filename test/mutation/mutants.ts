/** Runs the collected tests against each mutant of this process's share. */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, vi } from 'vitest';
import type { Collected } from './registry.js';
import { tests as files } from './modules.mjs';

interface Mutant {
  readonly id: string;
  readonly status?: string;
}

type Counts = Readonly<Record<string, number>>;

/** Stryker's code in the mutated modules asks it which mutant is active, and counts what each test reaches. */
interface Switch {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  hitCount?: number;
  hitLimit?: number;
  readonly mutantCoverage?: { readonly static: Counts; readonly perTest: Readonly<Record<string, Counts>> };
}

/** A loop that no longer ends reaches its mutant without end. */
const MOST_HITS = 100;

test('mutants', async () => {
  const { mutants, share, shares, out, skip } = JSON.parse(process.env['MUTANTS'] ?? '') as {
    readonly mutants: string;
    readonly share: number;
    readonly shares: number;
    readonly out: string;
    /** Ids of mutants that need no run any more. */
    readonly skip: readonly string[];
  };
  const all = JSON.parse(readFileSync(mutants, 'utf8')) as readonly Mutant[];
  const found = (globalThis as { __stryker__?: Switch }).__stryker__;
  const control: Switch = found ?? {};
  (globalThis as { __stryker__?: Switch }).__stryker__ = control;

  const tests = await collect();
  const took = new Map<Collected, number>();
  for (const [index, each] of tests.entries()) {
    control.currentTestId = `${index}`;
    const startedAt = performance.now();
    await each.run();
    took.set(each, performance.now() - startedAt);
    await runAgain(each);
  }
  control.currentTestId = undefined;
  const { static: whileLoading = {}, perTest = {} } = control.mutantCoverage ?? {};
  const kills = new Map<Collected, number>();
  const worth = (each: Collected): number => ((kills.get(each) ?? 0) + 1) / ((took.get(each) ?? 0) + 1);

  async function isKilled(id: string, by: readonly Collected[], mostHits: number): Promise<boolean> {
    control.activeMutant = id;
    control.hitLimit = mostHits;
    for (const each of by.toSorted((one, other) => worth(other) - worth(one))) {
      control.hitCount = 0;
      try {
        await each.run();
      } catch {
        kills.set(each, (kills.get(each) ?? 0) + 1);
        return true;
      }
    }
    return false;
  }

  async function statusOf({ id, status }: Mutant): Promise<string> {
    if (status !== undefined) return status;
    const reach = tests.flatMap((each, index) => {
      const hits = perTest[index]?.[id] ?? 0;
      return hits > 0 ? [{ each, hits }] : [];
    });
    const mostHits = MOST_HITS * Math.max(1, ...reach.map(({ hits }) => hits));
    if (reach.length > 0) {
      const by = reach.map(({ each }) => each);
      return (await isKilled(id, by, mostHits)) ? 'Killed' : 'Survived';
    }
    if (whileLoading[id] === undefined) return 'NoCoverage';
    // A constant is mutated only if its module is loaded once more.
    control.activeMutant = id;
    control.hitLimit = Infinity;
    try {
      return (await isKilled(id, await collect(), Infinity)) ? 'Killed' : 'Survived';
    } catch {
      return 'Killed';
    }
  }

  const done = new Set(skip);
  for (const mutant of all.filter(({ id }, index) => index % shares === share && !done.has(id))) {
    appendFileSync(out, `${mutant.id} `);
    appendFileSync(out, `${await statusOf(mutant)}\n`);
    control.activeMutant = undefined;
  }
});

/** A test that changes what its table holds fails the second time, and would kill every mutant that it reaches. */
async function runAgain({ name, run }: Collected): Promise<void> {
  try {
    await run();
  } catch (cause) {
    throw new Error(`the test "${name}" passes only once in a process: it must make what it changes`, { cause });
  }
}

/** Loads all modules anew. */
async function collect(): Promise<readonly Collected[]> {
  vi.resetModules();
  for (const file of files) await import(/* @vite-ignore */ join(process.cwd(), file));
  const { collected } = await import('./registry.js');
  return collected;
}
