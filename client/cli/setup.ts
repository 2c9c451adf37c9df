import { InvalidArgumentError, type Command } from 'commander';
import { checkSweep, milliseconds } from '../../workflows/contract/validation.js';
import { valid } from '../failures/errors.js';
import type { SetupResult } from '../temporal/setup.js';
import type { SweepScheduleWish } from '../temporal/sweep-schedule.js';
import { examples, forPeople, GROUP, jsonLine, mistake, type CommonOptions } from './command.js';
import { lines } from './tables.js';

interface SetupOptions extends CommonOptions {
  /** Milliseconds; false with `--no-sweep`. */
  readonly sweep?: number | false;
  readonly startPostedSince?: string;
}

/** What became of the schedule; absent if nothing was asked about it. */
interface SweepSetup {
  readonly sweep?: 'created' | 'changed' | 'removed' | 'absent';
}

const ABOUT = `
--sweep has a Temporal Schedule look for bill runs that nobody emailed. It only
reports, unless --start-posted-since gives a date. To change it, repeat the
command. With Multi-entity, each entity has a schedule of its own: --entity.`;

export function addSetup(program: Command): void {
  program
    .command('setup')
    .helpGroup(GROUP.setUp)
    .description('register the search attributes in the namespace; safe to repeat')
    .option('--sweep <interval>', 'sweep so often, such as 1h: see sweep --help', interval)
    .option('--no-sweep', 'sweep no more')
    .option('--start-posted-since <date>', 'with --sweep: start what was forgotten and posted since then')
    .option('--entity <id>', 'with --sweep or --no-sweep, Zuora Multi-entity only: the entity')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', `${examples('setup', 'setup --sweep 1h', 'setup --no-sweep --json')}\n${ABOUT}`)
    .action(async ({ json, sweep, startPostedSince, entity: entityId }: SetupOptions) => {
      if (typeof sweep !== 'number' && startPostedSince !== undefined)
        throw mistake('--start-posted-since needs --sweep');
      if (sweep === undefined && entityId !== undefined) throw mistake('--entity needs --sweep or --no-sweep');
      valid(checkSweep({ startPostedSince, entityId }));
      const result = await setUp(sweep, { entityId, startPostedSince });
      console.log(json === true ? jsonLine(result) : inWords(forPeople(result), startPostedSince));
    });
}

function interval(text: string): number {
  const every = milliseconds(text);
  if (every >= 60_000 && every <= 24 * 60 * 60_000) return every;
  throw new InvalidArgumentError('It must be a duration from 1m to 1d, such as 1h.');
}

async function setUp(
  sweep: number | false | undefined,
  wish: Omit<SweepScheduleWish, 'everyMs'>,
): Promise<SetupResult & SweepSetup> {
  const [{ connect }, { setup }] = await Promise.all([
    import('../temporal/connection.js'),
    import('../temporal/setup.js'),
  ]);
  const connected = await connect();
  try {
    const result = await setup(connected.connection, connected.namespace);
    if (sweep === undefined) return result;
    const { scheduleSweeps } = await import('../temporal/sweep-schedule.js');
    return { ...result, sweep: await scheduleSweeps(connected, { ...wish, everyMs: sweep === false ? null : sweep }) };
  } finally {
    await connected.connection.close();
  }
}

function inWords(
  { namespace, registered, present, sweep }: SetupResult & SweepSetup,
  startPostedSince: string | undefined,
): string {
  const what =
    startPostedSince === undefined ? 'it only reports' : `it starts what was posted since ${startPostedSince}`;
  const then = sweep === 'created' || sweep === 'changed' ? `; ${what}; doctor says when it last ran` : '';
  return lines([
    ['namespace', namespace],
    ['registered', registered.length === 0 ? 'nothing: all are there' : registered.join(', ')],
    ['were there', present.length === 0 ? null : present.join(', ')],
    ['sweep', sweep === undefined ? null : `${SCHEDULES[sweep]}${then}`],
  ]);
}

const SCHEDULES: Readonly<Record<NonNullable<SweepSetup['sweep']>, string>> = {
  created: 'its schedule was created',
  changed: 'its schedule was changed',
  removed: 'its schedule was removed',
  absent: 'there was no schedule',
};
