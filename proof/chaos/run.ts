/** One chaos run from the start of its parts to the judgement. The soak shares most of it. */
import { setTimeout as delay } from 'node:timers/promises';
import { judge, type Judgement } from './check.js';
import { collect, settle, untilChecked } from './collect.js';
import type { Surroundings } from '../command.js';
import { emailFaults } from './email-faults.js';
import type { Evidence } from './evidence.js';
import { startParts, type Parts, type RestartableTemporal, type DisruptionCounts } from './parts.js';
import { live, sweepUp, type At, type Ledger } from './people.js';
import { traced, type TracedHistories } from './traces.js';
import { WORKERS, type Disruption, type Plan } from './plan.js';

/** Counts and judgement at the end. */
export interface Outcome extends Judgement {
  /** All faults that occurred, of Zuora and of connections. */
  readonly faults: number;
  readonly faultsByKind: { readonly zuora: number } & Pick<
    DisruptionCounts,
    'cuts' | 'cutConnections' | 'stalls' | 'slowed'
  >;
  /** Requests of pipelines and operators that Temporal accepted, including repetitions. */
  readonly requestsAccepted: number;
  /** Bill runs that the sweep at the end started. */
  readonly swept: number;
  /** How often a client had to repeat a request, by error. */
  readonly repeated: Readonly<Record<string, number>>;
  readonly emails: number;
  readonly attempts: number;
  /** Histories whose attempts were walked through the explorer. */
  readonly traced: TracedHistories;
  /** Calls that reached Zuora. */
  readonly calls: { readonly logins: number; readonly reads: number; readonly emails: number };
}

export interface ChaosResult extends Outcome {
  readonly seed: number;
  readonly billRuns: number;
  readonly planHash: string;
  readonly durationMs: number;
  readonly kills: number;
  readonly serverRestarts: number;
  readonly killsBySignal: DisruptionCounts['kills'];
  readonly workersGone: number;
  readonly holdsOnAll: number;
  readonly workersStopped: number;
  readonly outages: number;
  readonly refusals: number;
  readonly listsNothing: number;
}

export interface ChaosOptions extends Surroundings {
  readonly workerMain: string | undefined;
  readonly temporal?: RestartableTemporal | undefined;
}

export async function chaos(plan: Plan, options: ChaosOptions): Promise<{ result: ChaosResult; evidence: Evidence }> {
  const { report } = options;
  const startedAt = Date.now();
  report(
    `Plan ${plan.hash}: ${plan.billRuns.length} bill runs and ${plan.disruptions.length} disruptions in ${seconds(plan.lengthMs)}`,
  );
  const parts = await startParts(plan, { ...options, workers: WORKERS });
  const ledger = newLedger();
  const zuoraFaults = await runPlan(plan, parts, ledger, report, () => {
    const { kills, serverRestarts, cuts } = parts.counts;
    const killed = kills.SIGKILL + kills.SIGTERM;
    return `${killed} workers killed, Temporal restarted ${serverRestarts} times, ${cuts} cuts`;
  });
  const { evidence, ...judged } = await conclude(plan, parts, ledger, zuoraFaults, report, {
    ...{ finish: false, startedAt },
  });
  const { kills, serverRestarts, workersGone, holdsOnAll, workersStopped, outages, refusals, listsNothing } =
    parts.counts;
  const result: ChaosResult = {
    seed: plan.seed,
    billRuns: plan.billRuns.length,
    planHash: plan.hash,
    durationMs: Date.now() - startedAt,
    kills: kills.SIGKILL + kills.SIGTERM,
    serverRestarts,
    killsBySignal: kills,
    ...{ workersGone, holdsOnAll, workersStopped, outages, refusals, listsNothing },
    ...judged,
  };
  return { result, evidence };
}

export function newLedger(): Ledger {
  return { accepted: [], repeated: new Map() };
}

/** Ends all faults, waits until every job has settled, collects the evidence and judges it. */
export async function conclude(
  plan: Plan,
  parts: Parts,
  ledger: Ledger,
  zuoraFaults: number,
  report: (text: string) => void,
  { finish, startedAt }: { readonly finish: boolean; readonly startedAt: number },
): Promise<Outcome & { readonly evidence: Evidence }> {
  report('No more faults, all parts are up. Waiting until every job has settled');
  await parts.restore();
  const isAnyForgotten = plan.billRuns.some(({ isForgotten }) => isForgotten);
  const swept = isAnyForgotten ? await sweepUp(plan, parts, ledger, startedAt) : [];
  if (isAnyForgotten) report(`A sweep started ${swept.length} bill runs whose starts were lost`);
  const workflowIds = [...new Set(ledger.accepted.map(({ workflowId }) => workflowId))];
  let reported = workflowIds.length;
  const reportLeft = (left: number): void => {
    if (left > reported * 0.7) return;
    reported = left;
    report(`${left} workflows to go`);
  };
  const open = await settle(workflowIds, parts, reportLeft, { finish });
  if (open.length > 0) report(`Not settled: ${open.join(', ')}`);

  report('All emails leave. Waiting until every job has seen them');
  await untilChecked(plan, parts);
  report('Comparing mailbox, request log, histories and audits');
  const evidence = await collect(plan, parts, ledger);
  const { cuts, cutConnections, stalls, slowed } = parts.counts;
  const judgement = judge(evidence);
  const walked = traced(evidence);
  return {
    evidence,
    faults: zuoraFaults + cuts + stalls + slowed,
    faultsByKind: { zuora: zuoraFaults, cuts, cutConnections, stalls, slowed },
    requestsAccepted: ledger.accepted.length,
    swept: swept.length,
    repeated: Object.fromEntries(ledger.repeated),
    emails: evidence.emails,
    calls: { logins: evidence.logins.length, reads: evidence.reads, emails: evidence.calls },
    attempts: evidence.billRuns.flatMap(({ runs }) => runs.flatMap(({ attempts }) => attempts)).length,
    ...judgement,
    traced: walked.traced,
    violations: [...judgement.violations, ...walked.violations],
  };
}

/** Executes the plan. @returns the number of Zuora's faults that occurred */
export async function runPlan(
  plan: Plan,
  parts: Parts,
  ledger: Ledger,
  report: (text: string) => void,
  progress: () => string,
): Promise<number> {
  const { control } = parts;
  for (const fault of plan.randomFaults) await control('POST', '/faults', fault);
  for (const { number, faults } of plan.billRuns) {
    for (const name of faults) {
      await control('POST', '/faults', {
        method: 'POST',
        path: `/v1/bill-runs/${number}/emails`,
        ...emailFaults[name],
      });
    }
  }
  const began = Date.now();
  const at: At = async (ms) => {
    const wait = began + ms - Date.now();
    if (wait > 0) await delay(wait);
  };
  const timer = setInterval(() => {
    report(`${seconds(Date.now() - began)}: ${ledger.accepted.length} requests accepted; ${progress()}`);
  }, 10_000);
  try {
    // In order, each at its time or as soon as possible. Disruptions of connections do not wait for those of processes.
    const inTurn = async (disruptions: Plan['disruptions']): Promise<void> => {
      for (const disruption of disruptions) {
        await at(disruption.at);
        await parts.apply(disruption);
      }
    };
    const ofKinds = (...kinds: readonly Disruption['kind'][]): Plan['disruptions'] =>
      plan.disruptions.filter(({ kind }) => kinds.includes(kind));
    await Promise.all([
      ...plan.billRuns.map((planned) => live(planned, parts, ledger, at)),
      inTurn(ofKinds('kill', 'stopWorkers')),
      inTurn(ofKinds('restartTemporal', 'listNothing')),
      inTurn(ofKinds('holdAll')),
      inTurn(ofKinds('outage', 'refuseLogins')),
      inTurn(ofKinds('cut', 'stall', 'slow')),
    ]);
  } finally {
    clearInterval(timer);
  }
  await control('DELETE', '/faults');
  const requests = await control<{ faults: readonly number[] }[]>('GET', '/requests');
  return requests.reduce((sum, { faults }) => sum + faults.length, 0);
}

/** As text, with the evidence of every violation. */
export function inLines(result: Outcome): readonly string[] {
  const { zuora, cuts, stalls, slowed } = result.faultsByKind;
  const { documentsCompared: compared } = result;
  const rules = result.violations.map(({ rule, billRun, what, evidence }) => {
    return `  rule ${rule}: ${billRun}: ${what}\n    ${JSON.stringify(evidence).slice(0, 2_000)}`;
  });
  return [
    `Faults          ${result.faults} (Zuora ${zuora}, cuts ${cuts}, stalls ${stalls}, slow connections ${slowed})`,
    `Sends           ${result.sendsIntended} intended, ${result.sendsAccepted} accepted, ` +
      `${result.unsettled} unsettled, ${result.superseded} superseded; ${result.attempts} attempts`,
    `Calls to Zuora  ${result.calls.logins} logins, ${result.calls.reads} reads, ${result.calls.emails} to email`,
    `Swept           ${result.swept} bill runs whose starts were lost`,
    `Emails          ${result.emails}, duplicates ${result.duplicates}`,
    `Documents       ${compared.total} compared with what jobs say: ${compared.sent} sent, ${compared.notSent} not sent, ` +
      `${compared.waiting} waiting, ${compared.unknown} unknown`,
    `Traced          ${result.traced.histories} histories, ${result.traced.steps} steps of attempts`,
    `Lost            ${result.lost}`,
    `Violations      ${result.violations.length}`,
    ...rules,
  ];
}

export function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
