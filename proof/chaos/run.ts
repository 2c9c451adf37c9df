/** One chaos run, from the parts to the judgement, and what a soak has in common with it. */
import { setTimeout as delay } from 'node:timers/promises';
import { judge, type Judgement } from './check.js';
import { collect, settle } from './collect.js';
import type { Surroundings } from '../command.js';
import { emailFaults } from './email-faults.js';
import type { Evidence } from './evidence.js';
import { startParts, type Parts, type RestartableTemporal, type Struck } from './parts.js';
import { live, type At, type Ledger } from './people.js';
import { WORKERS, type Plan } from './plan.js';

/** What Zuora, Temporal and the audits tell of a run when it is over. */
export interface Aftermath extends Judgement {
  /** All faults that struck: those of Zuora, and of connections. */
  readonly faults: number;
  readonly faultsByKind: { readonly zuora: number } & Pick<Struck, 'cuts' | 'cutConnections' | 'stalls' | 'slowed'>;
  /** What pipelines and operators asked for and Temporal took, repetitions included. */
  readonly requestsAccepted: number;
  /** How often a client had to ask again, by what it was told. */
  readonly askedAgain: Readonly<Record<string, number>>;
  readonly emails: number;
  readonly attempts: number;
}

export interface ChaosResult extends Aftermath {
  readonly seed: number;
  readonly billRuns: number;
  readonly planHash: string;
  readonly durationMs: number;
  readonly kills: number;
  readonly serverRestarts: number;
  readonly killsBySignal: Struck['kills'];
  readonly workersGone: number;
}

export interface ChaosOptions extends Surroundings {
  readonly workerMain: string | undefined;
  readonly temporal?: RestartableTemporal | undefined;
}

export async function chaos(plan: Plan, options: ChaosOptions): Promise<{ result: ChaosResult; evidence: Evidence }> {
  const { report } = options;
  const startedAt = Date.now();
  report(
    `Plan ${plan.hash}: ${plan.billRuns.length} bill runs and ${plan.blows.length} blows in ${seconds(plan.lengthMs)}`,
  );
  const parts = await startParts(plan, { ...options, workers: WORKERS });
  const ledger = newLedger();
  const zuoraFaults = await rage(plan, parts, ledger, report, () => {
    const { kills, serverRestarts, cuts } = parts.struck;
    const killed = kills.SIGKILL + kills.SIGTERM;
    return `${killed} workers killed, Temporal restarted ${serverRestarts} times, ${cuts} cuts`;
  });
  const { evidence, ...judged } = await aftermath(plan, parts, ledger, zuoraFaults, report, { finish: false });
  const { kills, serverRestarts, workersGone } = parts.struck;
  const result: ChaosResult = {
    seed: plan.seed,
    billRuns: plan.billRuns.length,
    planHash: plan.hash,
    durationMs: Date.now() - startedAt,
    kills: kills.SIGKILL + kills.SIGTERM,
    serverRestarts,
    killsBySignal: kills,
    workersGone,
    ...judged,
  };
  return { result, evidence };
}

export function newLedger(): Ledger {
  return { accepted: [], askedAgain: new Map() };
}

/** What came of it: all is made whole, every run settles, and the witnesses are heard. */
export async function aftermath(
  plan: Plan,
  parts: Parts,
  ledger: Ledger,
  zuoraFaults: number,
  report: (text: string) => void,
  { finish }: { readonly finish: boolean },
): Promise<Aftermath & { readonly evidence: Evidence }> {
  report('No more faults, all parts are up. Waiting until every run has settled');
  await parts.calm();
  const numbers = plan.billRuns.map(({ number }) => number);
  const workflowIds = [...new Set(ledger.accepted.map(({ workflowId }) => workflowId))];
  let told = workflowIds.length;
  const say = (left: number): void => {
    if (left > told * 0.7) return;
    told = left;
    report(`${left} workflows to go`);
  };
  const open = await settle(workflowIds, parts, say, { finish });
  if (open.length > 0) report(`Not settled: ${open.join(', ')}`);

  report('Holding mailbox, request log, histories and audits against each other');
  const evidence = await collect(numbers, parts, ledger);
  const { cuts, cutConnections, stalls, slowed } = parts.struck;
  return {
    evidence,
    faults: zuoraFaults + cuts + stalls + slowed,
    faultsByKind: { zuora: zuoraFaults, cuts, cutConnections, stalls, slowed },
    requestsAccepted: ledger.accepted.length,
    askedAgain: Object.fromEntries(ledger.askedAgain),
    emails: evidence.emails,
    attempts: evidence.billRuns.flatMap(({ runs }) => runs.flatMap(({ attempts }) => attempts)).length,
    ...judge(evidence),
  };
}

/** Bill runs live as planned while the blows fall. Returns how many of Zuora's faults struck. */
export async function rage(
  plan: Plan,
  parts: Parts,
  ledger: Ledger,
  report: (text: string) => void,
  howFar: () => string,
): Promise<number> {
  const { control } = parts;
  for (const fault of plan.weather) await control('POST', '/faults', fault);
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
  const progress = setInterval(() => {
    report(`${seconds(Date.now() - began)}: ${ledger.accepted.length} requests taken; ${howFar()}`);
  }, 10_000);
  try {
    // One after the other, each at its time or as soon as the parts allow; connections do not wait for processes.
    const inTurn = async (blows: Plan['blows']): Promise<void> => {
      for (const blow of blows) {
        await at(blow.at);
        await parts.strike(blow);
      }
    };
    await Promise.all([
      ...plan.billRuns.map((planned) => live(planned, parts, ledger, at)),
      inTurn(plan.blows.filter(({ kind }) => kind === 'kill')),
      inTurn(plan.blows.filter(({ kind }) => kind === 'restartTemporal')),
      inTurn(plan.blows.filter(({ kind }) => kind !== 'kill' && kind !== 'restartTemporal')),
    ]);
  } finally {
    clearInterval(progress);
  }
  await control('DELETE', '/faults');
  const requests = await control<{ faults: readonly number[] }[]>('GET', '/requests');
  return requests.reduce((sum, { faults }) => sum + faults.length, 0);
}

/** For people: what happened, and every violation with its evidence. */
export function inLines(result: Aftermath): readonly string[] {
  const { zuora, cuts, stalls, slowed } = result.faultsByKind;
  const rules = result.violations.map(({ rule, billRun, what, evidence }) => {
    return `  rule ${rule}: ${billRun}: ${what}\n    ${JSON.stringify(evidence).slice(0, 2_000)}`;
  });
  return [
    `Faults          ${result.faults} (Zuora ${zuora}, cuts ${cuts}, stalls ${stalls}, slow connections ${slowed})`,
    `Sends           ${result.sendsIntended} intended, ${result.sendsAccepted} accepted, ` +
      `${result.unsettled} unsettled, ${result.superseded} superseded; ${result.attempts} attempts`,
    `Emails          ${result.emails}, duplicates ${result.duplicates}`,
    `Lost            ${result.lost}`,
    `Violations      ${result.violations.length}`,
    ...rules,
  ];
}

export function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
