/** Creates a scene in a running `npm run dev`: a bill run, what goes wrong with it, and its job. Then it says what to do. */
import { Client, Connection } from '@temporalio/client';
import { Command } from 'commander';
import { withoutMarkdown } from '../client/failures/plain-text.js';
import { BillRunEmails, type JobStatus } from '../client/index.js';
import { hanging } from '../client/cli/terminal.js';
import { stateInWords } from '../workflows/rules/text.js';
import { printError } from '../client/cli/command.js';
import { linkToJob, StuckJob, untilJob } from './jobs.js';
import { announcedDev, SCENES, type RunningDev } from './running-dev.js';
import { controlOf, type Control } from './simulator-control.js';

interface BillRun {
  readonly number: string;
  readonly documents: readonly { readonly number: string }[];
}

interface Scene {
  /** Follows the number of the bill run. */
  readonly story: string;
  /** Default: Posted. */
  readonly billRunStatus?: 'Completed';
  readonly hold?: true;
  readonly prepare?: (control: Control, billRun: BillRun) => Promise<unknown>;
  readonly isReached: (status: JobStatus) => boolean;
  readonly next: string;
  readonly command: (number: string, dev: RunningDev) => string;
}

const scenes: Readonly<Record<(typeof SCENES)[number], Scene>> = {
  refused: {
    story: 'is posted. Zuora refuses to email its documents, once',
    prepare: (control, { number }) =>
      control('POST', '/faults', {
        ...emailsOf(number),
        when: 'before',
        fault: 'respond',
        status: 400,
        body: { success: false, reasons: [{ code: 58730030, message: 'The email template is not active.' }] },
      }),
    isReached: ({ state }) => state === 'NeedsAttention',
    next: 'The cause is fixed now. A retry sends',
    command: cli('retry'),
  },
  'lost-answer': {
    story: 'is posted. Zuora emails its documents, and three times the connection is cut before the answer',
    prepare: (control, { number }) =>
      control('POST', '/faults', { ...emailsOf(number), when: 'after', fault: 'reset', times: 3 }),
    // Between two attempts, the time of the next one is known.
    isReached: ({ state, until }) => state === 'Sending' && until !== null,
    next: 'The fourth attempt, half a minute later, gets the stored answer. Nobody is emailed twice. Follow it',
    command: cli('status'),
  },
  'half-sent': {
    story: 'is posted. Zuora accepts, and then the emails of two documents fail',
    prepare: async (control, { documents }) => {
      for (const { number } of documents.slice(0, 2)) {
        await control('PATCH', `/documents/${number}`, { email: 'failed', reason: 'mail server unavailable' });
      }
    },
    isReached: ({ reason }) => reason === 'notSent',
    next: 'The mail server works again. A retry emails only those two',
    command: cli('retry'),
  },
  held: {
    story: 'is posted. Its job was started on hold, so nothing is sent',
    hold: true,
    isReached: ({ state, billRunStatus }) => state === 'Held' && billRunStatus !== null,
    next: 'It sends when somebody releases it',
    command: cli('release'),
  },
  waiting: {
    story: 'is not posted yet, so its job waits',
    billRunStatus: 'Completed',
    isReached: ({ state, billRunStatus }) => state === 'Waiting' && billRunStatus !== null,
    next: 'It sends when the bill run posts. Post it in the simulated Zuora',
    command: (number, { simulatorUrl }) =>
      `curl -so/dev/null -XPATCH ${new URL(simulatorUrl).host}/simulator/bill-runs/${number} -d '{"status":"Posted"}'`,
  },
};
const NAMES = SCENES.join(', ');

/** A failure that a person can fix; its message says how. */
class TryFailure extends Error {
  override readonly name = 'TryFailure';
}

const command = new Command('try')
  .description('Creates a scene in a running `npm run dev`: a bill run, what goes wrong with it, and its job.')
  .argument('[scene]', `one of ${NAMES}`)
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse();

try {
  await create(sceneNamed(command.args[0]));
} catch (error) {
  if (error instanceof TryFailure || error instanceof StuckJob) printError(error.message);
  else console.error(error);
  process.exitCode = 1;
}

function sceneNamed(name: string | undefined): Scene {
  const scene = Object.entries(scenes).find(([each]) => each === name)?.[1];
  if (scene !== undefined) return scene;
  const fault = name === undefined ? 'a scene is missing' : `there is no scene "${name}"`;
  return command.error(`Error: ${fault}; the scenes are ${NAMES}`);
}

async function create(scene: Scene): Promise<void> {
  const dev = announcedDev();
  const connection = dev === undefined ? undefined : await connected(dev);
  if (dev === undefined || connection === undefined) {
    throw new TryFailure('npm run dev is not running. Run it first, in another terminal.');
  }
  const emails = new BillRunEmails(new Client({ connection }));
  try {
    const control = controlOf(dev.simulatorUrl);
    const { billRunStatus: status = 'Posted', story, hold, next } = scene;
    const wanted = { number: await freeNumber(control, emails), status };
    const billRun = await control<BillRun>('POST', '/bill-runs', wanted);
    const { number } = billRun;
    console.log(`${number} ${story}.`);
    await scene.prepare?.(control, billRun);
    const { warnings = [] } = await emails.start({ billRunKey: number, requestedBy: 'npm run try', hold });
    for (const warning of warnings) console.error(`Warning: ${warning}.`);
    const { state, reason, text, question } = await untilJob(emails, number, scene.isReached);
    console.log(hanging('  ', `${stateInWords(state, reason)}: ${withoutMarkdown(question?.text ?? text)}`));
    console.log(`  Temporal UI: ${linkToJob(dev.uiUrl, number)}`);
    console.log(`${next}:\n  ${scene.command(number, dev)}`);
  } finally {
    await emails.close();
  }
}

/** Undefined if nothing runs there any more. */
async function connected({ temporalAddress, simulatorUrl }: RunningDev): Promise<Connection | undefined> {
  try {
    await controlOf(simulatorUrl)('GET', '/clock');
    return await Connection.connect({ address: temporalAddress });
  } catch {
    return undefined;
  }
}

/** Neither the simulated Zuora has it, nor a job of an earlier day, which `npm run dev -- --db` keeps. */
async function freeNumber(control: Control, emails: BillRunEmails): Promise<string> {
  const numbers = (await control<readonly BillRun[]>('GET', '/bill-runs')).map(({ number }) => number);
  for await (const { workflowId } of emails.list()) numbers.push(workflowId.split('/').at(-1) ?? '');
  const last = Math.max(0, ...numbers.map((number) => Number(/^BR-(\d{1,8})$/.exec(number)?.[1] ?? 0)));
  return `BR-${String(last + 1).padStart(8, '0')}`;
}

function emailsOf(number: string): { readonly method: string; readonly path: string } {
  return { method: 'POST', path: `/v1/bill-runs/${number}/emails` };
}

function cli(name: string): Scene['command'] {
  return (number, { temporalAddress }) =>
    `TEMPORAL_ADDRESS=${temporalAddress} npm run --silent cli -- ${name} ${number}`;
}
