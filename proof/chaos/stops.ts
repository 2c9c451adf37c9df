/** Rule 8: stop means stop. Shared facts: when orders forbade calls, and when calls arrived. Pure. */
import type { BillRunEvidence, EmailCall, Evidence, RunEvidence } from './evidence.js';
import type { Forbidden } from '../history.js';

/** A call that was about to leave when the order came. */
const LEAVES_WITHIN_MS = 2_000;

type Surroundings = Pick<Evidence, 'holdsOnAll' | 'delays'>;

/** The calls that left although an order had forbidden them, with that order. */
export function forbiddenCalls(
  { calls, runs }: Pick<BillRunEvidence, 'calls' | 'runs'>,
  { holdsOnAll, delays }: Surroundings,
): readonly { readonly call: EmailCall; readonly order: Forbidden }[] {
  return calls.flatMap((call) => {
    const run = runs.find(({ attempts }) => attempts.some(({ input }) => input.trackId === call.trackId));
    const order = [...holdsOnAll, ...(run?.forbidden ?? [])].find((each) => forbids(each, call, delays));
    return order === undefined ? [] : [{ call, order }];
  });
}

/** A stalled or slow connection brings a call later than it left. */
function forbids({ from, until }: Forbidden, { at }: EmailCall, delays: Evidence['delays']): boolean {
  const arrived = Date.parse(at);
  const delayed = delays.reduce((sum, delay) => sum + overlap(delay, { from, until: arrived }), 0);
  const left = arrived - delayed;
  return left > from + LEAVES_WITHIN_MS && (until === null || arrived < until);
}

function overlap(
  one: { readonly from: number; readonly until: number },
  other: { readonly from: number; readonly until: number },
): number {
  return Math.max(0, Math.min(one.until, other.until) - Math.max(one.from, other.from));
}

/** Jobs that a start opened although a person had closed the one before, and Zuora had accepted nothing. */
export function openedAfterStop(runs: readonly RunEvidence[]): readonly RunEvidence[] {
  const canonical = runs.filter(({ workflowId }) => workflowId.includes('/BR-'));
  return canonical.filter(({ input }, index) => {
    const before = canonical.slice(0, index);
    const isEmailed = before.some(({ sends }) => sends.some(({ outcome }) => outcome === 'accepted'));
    const isStart = input.resend !== true && input.again !== true;
    return isStart && before.at(-1)?.closedByPerson === true && !isEmailed;
  });
}
