import { Command, CommanderError, Option } from 'commander';
import type { AuditFormat } from './audit-formats.js';
import {
  addTemporalOptions,
  answer,
  connected,
  examples,
  fail,
  forPeople,
  GROUP,
  jsonLine,
  jsonOfFailure,
  onBillRun,
  printError,
  useTemporalOptions,
  ZUORA_IS_FOUND,
  type CommonOptions,
} from './command.js';
import { addDocuments } from './documents.js';
import { addList } from './list.js';
import { addMessages } from './messages.js';
import { addResend } from './resend.js';
import { addStart } from './start.js';
import { addStatus } from './status.js';
import { addSweep } from './sweep.js';
import { addSetup } from './setup.js';
import { EXIT } from '../failures/errors.js';
import { escaped } from '../failures/plain-text.js';
import { versionHere } from '../../environment/version.js';

const EXIT_CODES = `
Exit codes:
  0  done as asked
  1  unexpected
  2  usage or invalid input
  3  no such bill run or job
  4  waits for a person, documents were not sent, or bill runs are forgotten
  5  closed without emailing
  6  Temporal cannot be reached, or refuses us
  7  Zuora cannot be reached, or refuses us
  8  the command went on to its end, but its output cannot be written

--json prints one line per bill run, always with billRunKey, workflowId and ok;
if not ok, with error: {type, message}.

Temporal is found by the TEMPORAL_* variables of the environment, such as
TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and TEMPORAL_API_KEY. They win over a
profile; --address and --namespace win over both. Jobs are started on the task
queue BILL_RUN_TASK_QUEUE, by default bill-run-emails.`;

const WIDTH = 80;

function createProgram(): Command {
  const program = new Command('bill-run-emails')
    .description('Emails the billing documents of Zuora bill runs: once, after the post, with an audit.')
    .version(versionHere(), '-v, --version')
    // After a command's name, its options may have values that begin with a hyphen: --reason -v.
    .enablePositionalOptions()
    .commandsGroup(GROUP.setUp)
    .helpCommand('help [command]', 'explain a command')
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .addHelpText('after', EXIT_CODES)
    .exitOverride()
    // It quotes arguments. Only a suggestion begins a line of its own.
    .configureOutput({
      getOutHelpWidth: () => (process.stdout.isTTY ? Math.min(process.stdout.columns, WIDTH) : WIDTH),
      outputError: (text) => {
        const lines = withoutPrefix(text.trimEnd()).split(/\n(?=\(Did you mean )/);
        printError(lines.map(escaped).join('\n'));
      },
    });

  addStart(program);
  addStatus(program);
  addList(program);
  addSweep(program);
  addDocuments(program);
  addResend(program);
  addMessages(program);
  addAudit(program);
  addDoctor(program);
  addSetup(program);
  // They may stand before or after the name of a command. A help lists them last.
  for (const command of [program, ...program.commands]) addTemporalOptions(command);
  program.hook('preAction', useTemporalOptions);
  program.command('version', { hidden: true }).action(() => {
    console.log(program.version());
  });

  return program;
}

function addAudit(program: Command): void {
  onBillRun(program, 'audit', 'who sent what, when and why; needs no worker')
    .helpGroup(GROUP.look)
    .addOption(new Option('--format <format>', 'how to print it').choices(['table', 'csv']).default('table'))
    .addHelpText(
      'after',
      examples('audit BR-00000001', 'audit BR-00000001 --json', 'audit BR-00000001 --format csv > audit.csv'),
    )
    .action(async (key: string, { json, entity: entityId, format }: CommonOptions & AuditOptions) => {
      const { formatted } = await import('./audit-formats.js');
      const ask = () => connected((emails) => emails.audit({ billRunKey: key, entityId }));
      await answer({ billRunKey: key, json }, ask, { inWords: (audit) => formatted(audit, format) });
    });
}

function addDoctor(program: Command): void {
  program
    .command('doctor')
    .helpGroup(GROUP.setUp)
    .description('check all that emailing needs; changes nothing')
    .option('--entity <id>', 'Zuora Multi-entity only: the entity to read in')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', `${examples('doctor', 'doctor --json')}\n\n${ZUORA_IS_FOUND}`)
    .action(async ({ json, entity }: CommonOptions) => {
      const [doctor, { doctorTable }] = await Promise.all([import('../doctor/doctor.js'), import('./doctor-table.js')]);
      const diagnosis = await doctor.diagnose(entity === undefined ? {} : { entityId: entity });
      console.log(json === true ? jsonLine(diagnosis) : doctorTable(forPeople(diagnosis)));
      process.exitCode = doctor.exitCodeOfDiagnosis(diagnosis);
    });
}

interface AuditOptions {
  readonly format: AuditFormat;
}

/** Runs one command. */
export async function main(args: readonly string[]): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', noteLostOutput);
  const json = args.includes('--json');
  try {
    await createProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      fail(error, json);
      return;
    }
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.invalid;
    // Commander itself has printed the message on stderr.
    if (json && error.exitCode !== 0)
      console.log(jsonOfFailure(null, { type: 'InvalidInput', message: withoutPrefix(error.message) }));
  }
}

/** Commander begins its errors so. */
function withoutPrefix(message: string): string {
  return message.replace(/^error: /, '');
}

let isOutputLost = false;

/** The command does its work to the end, and only then says so. */
function noteLostOutput({ code, message }: NodeJS.ErrnoException): void {
  // The reader may stop reading: `hold --all --yes | head`. Every later line then fails again.
  if (isOutputLost || code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED') return;
  isOutputLost = true;
  process.once('exit', () => {
    process.exitCode = EXIT.output;
    printError(
      `the output is incomplete: it cannot be written (${message}). The command went on to its end all the same.`,
    );
  });
}
