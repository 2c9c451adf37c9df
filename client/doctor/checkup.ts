/** How `doctor` checks one thing after another: every check is bounded, none stops the others, and what builds on a failed one is skipped. */
import { within } from '../failures/deadline.js';

/** In the order in which they are told. */
export const CHECK_NAMES = [
  'temporalConfiguration',
  'zuoraConfiguration',
  'temporal',
  'temporalVersion',
  'namespace',
  'searchAttributes',
  'workflowWorkers',
  'activityWorkers',
  'temporalClock',
  'zuoraToken',
  'zuoraRead',
  'zuoraClock',
] as const;

export type CheckName = (typeof CHECK_NAMES)[number];

export interface Check {
  readonly name: CheckName;
  /** `skipped`: it needs something that another check did not find. */
  readonly result: 'ok' | 'warning' | 'error' | 'skipped';
  /** What was found. */
  readonly text: string;
  /** What a person can do about it. */
  readonly todo?: string;
}

/** What a check finds: something for others to build on, or nothing. */
type Finding<T> =
  | { readonly result: 'ok'; readonly text: string; readonly found: T }
  | { readonly result: 'warning'; readonly text: string; readonly todo: string; readonly found: T }
  | { readonly result: 'error' | 'skipped'; readonly text: string; readonly todo: string };

/** The finding of a check that is done, or the name of the one that it lacks. */
export type Done<T> = { readonly found: T } | { readonly lacks: CheckName };

/** For checks that build on nothing. */
export const NOTHING: Done<undefined> = { found: undefined };

export class Checkup {
  readonly checks: Check[] = [];
  readonly #deadlineMs: number;

  /** @param deadlineMs bounds each check */
  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  /**
   * Checks one thing.
   *
   * @param explain says what a failure means that `find` throws
   */
  async check<Needed, Found>(
    name: CheckName,
    needed: Done<Needed>,
    explain: (error: unknown) => Pick<Required<Check>, 'text' | 'todo'>,
    find: (needed: Needed) => Finding<Found> | Promise<Finding<Found>>,
  ): Promise<Done<Found>> {
    if ('lacks' in needed) {
      this.checks.push({ name, result: 'skipped', text: `not checked, for it needs ${needed.lacks}` });
      return needed;
    }
    const { found } = needed;
    const finding = await within(this.#deadlineMs, async () => find(found)).catch((error: unknown) => ({
      result: 'error' as const,
      ...explain(error),
    }));
    const { result, text } = finding;
    this.checks.push({ name, result, text, ...('todo' in finding ? { todo: finding.todo } : {}) });
    return 'found' in finding ? { found: finding.found } : { lacks: name };
  }
}
