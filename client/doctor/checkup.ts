/** Runs the checks of `doctor`. Each has a time limit, and is skipped if a check that it needs has not succeeded. */
import pTimeout from 'p-timeout';

export type CheckName =
  | 'temporalConfiguration'
  | 'temporal'
  | 'temporalVersion'
  | 'namespace'
  | 'searchAttributes'
  | 'workflowWorkers'
  | 'activityWorkers'
  | 'holdAll'
  | 'paused'
  | 'sweep'
  | 'zuoraConfiguration'
  | 'zuoraToken'
  | 'zuoraRead'
  | 'postedNotifications'
  | 'emailNotifications';

export interface Check {
  readonly name: CheckName;
  /** `skipped`: it needs something that another check did not find. */
  readonly result: 'ok' | 'warning' | 'error' | 'skipped';
  /** What was found. */
  readonly text: string;
  /** What a person can do about it. */
  readonly todo?: string;
}

export type Finding = Omit<Check, 'name'>;

export interface CheckToRun {
  readonly name: CheckName;
  /** Earlier checks of the list, of which one must be ok or a warning. Default: none. */
  readonly needs?: readonly CheckName[];
  readonly run: () => Finding | Promise<Finding>;
  /** The result if `run` throws. Default: error. */
  readonly worst?: 'warning';
  /** The meaning of an error that `run` throws. */
  readonly explain: (error: unknown) => Explanation | Promise<Explanation>;
}

export type Explanation = Required<Pick<Check, 'text' | 'todo'>>;

/**
 * Runs the checks, at the same time unless one needs another.
 *
 * @param deadlineMs for each check
 * @returns the checks in the order of the list
 */
export function runChecks(list: readonly CheckToRun[], deadlineMs: number): Promise<Check[]> {
  const started = new Map<CheckName, Promise<{ readonly check: Check; readonly failed?: CheckName }>>();
  for (const check of list) {
    const needed = (check.needs ?? []).flatMap((each) => started.get(each) ?? []);
    started.set(check.name, outcome(check, needed));
  }
  return Promise.all([...started.values()].map(async (each) => (await each).check));

  /** `failed` is the check at the root of a chain that was skipped. */
  async function outcome(
    { name, run, worst, explain }: CheckToRun,
    needed: readonly Promise<{ readonly failed?: CheckName }>[],
  ): Promise<{ readonly check: Check; readonly failed?: CheckName }> {
    const outcomes = await Promise.all(needed);
    const failed = outcomes.at(-1)?.failed;
    if (failed !== undefined && outcomes.every((each) => each.failed !== undefined)) {
      return { check: { name, result: 'skipped', text: `not checked, because it needs ${failed}` }, failed };
    }
    const finding = await pTimeout(Promise.resolve().then(run), {
      milliseconds: deadlineMs,
      message: `no answer within ${deadlineMs / 1000} s`,
    }).catch(async (error: unknown) => ({ result: worst ?? ('error' as const), ...(await explain(error)) }));
    const usable = finding.result === 'ok' || finding.result === 'warning';
    return { check: { name, ...finding }, ...(usable ? {} : { failed: name }) };
  }
}
