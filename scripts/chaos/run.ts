/** One chaos run, from the parts to the judgement. */
import { setTimeout as delay } from 'node:timers/promises';
import { judge, type Judgement } from './check.js';
import { collect, settle } from './collect.js';
import { emailFaults } from './email-faults.js';
import type { Evidence } from './evidence.js';
import { startParts, type Parts, type Struck } from './parts.js';
import { live, type At, type Ledger } from './people.js';
import type { Plan } from './plan.js';

export interface ChaosResult {
  readonly seed: number;
  readonly billRuns: number;
  readonly planHash: string;
  readonly durationMs: number;
  readonly kills: number;
  readonly serverRestarts: number;
  /** All faults that struck: those of Zuora, and of connections. */
  readonly faults: number;
  readonly faultsByKind: { readonly zuora: number } & Pick<Struck, 'cuts' | 'cutConnections' | 'stalls' | 'slowed'>;
  readonly killsBySignal: Struck['kills'];
  readonly workersGone: number;
  /** What pipelines and operators asked for and Temporal took, repetitions included. */
  readonly requestsAccepted: number;
  /** How often a client had to ask again, by what it was told. */
  readonly askedAgain: Readonly<Record<string, number>>;
  readonly emails: number;
  readonly attempts: number;
  readonly sendsIntended: number;
  readonly sendsAccepted: number;
  readonly superseded: number;
  readonly duplicates: number;
  readonly lost: number;
  readonly unsettled: number;
  readonly violations: Judgement['violations'];
}

export interface ChaosOptions {
  /** For the database and the logs. */
  readonly folder: string;
  readonly workerMain: string | undefined;
  readonly tell: (text: string) => void;
  readonly onStop: (stop: () => Promise<unknown>) => void;
}

export async function chaos(plan: Plan, options: ChaosOptions): Promise<{ result: ChaosResult; evidence: Evidence }> {
  const { tell } = options;
  const startedAt = Date.now();
  tell(
    `Plan ${plan.hash}: ${plan.billRuns.length} bill runs and ${plan.blows.length} blows in ${seconds(plan.lengthMs)}`,
  );
  const parts = await startParts(plan, options, options.onStop);
  const ledger: Ledger = { accepted: [], askedAgain: new Map() };
  const zuoraFaults = await rage(plan, parts, ledger, tell);

  tell('The chaos is over: no more faults, all parts are up. Waiting until every run has settled');
  await parts.calm();
  const numbers = plan.billRuns.map(({ number }) => number);
  const workflowIds = [...new Set(ledger.accepted.map(({ workflowId }) => workflowId))];
  let told = workflowIds.length;
  const open = await settle(workflowIds, parts, (left) => {
    if (left > told * 0.7) return;
    told = left;
    tell(`${left} workflows to go`);
  });
  if (open.length > 0) tell(`Not settled: ${open.join(', ')}`);

  tell('Holding mailbox, request log, histories and audits against each other');
  const evidence = await collect(numbers, parts, ledger);
  const judgement = judge(evidence);
  const { struck } = parts;
  const { kills, serverRestarts, workersGone, cuts, cutConnections, stalls, slowed } = struck;
  const result: ChaosResult = {
    seed: plan.seed,
    billRuns: plan.billRuns.length,
    planHash: plan.hash,
    durationMs: Date.now() - startedAt,
    kills: kills.SIGKILL + kills.SIGTERM,
    serverRestarts,
    faults: zuoraFaults + cuts + stalls + slowed,
    faultsByKind: { zuora: zuoraFaults, cuts, cutConnections, stalls, slowed },
    killsBySignal: kills,
    workersGone,
    requestsAccepted: ledger.accepted.length,
    askedAgain: Object.fromEntries(ledger.askedAgain),
    emails: evidence.emails,
    attempts: evidence.billRuns.flatMap(({ runs }) => runs.flatMap(({ attempts }) => attempts)).length,
    ...judgement,
  };
  return { result, evidence };
}

/** Bill runs live as planned while the blows fall. Returns how many of Zuora's faults struck. */
async function rage(plan: Plan, parts: Parts, ledger: Ledger, tell: ChaosOptions['tell']): Promise<number> {
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
    const { kills, serverRestarts, cuts } = parts.struck;
    const killed = kills.SIGKILL + kills.SIGTERM;
    tell(
      `${seconds(Date.now() - began)}: ${ledger.accepted.length} requests taken; ` +
        `${killed} workers killed, Temporal restarted ${serverRestarts} times, ${cuts} cuts`,
    );
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

export function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
