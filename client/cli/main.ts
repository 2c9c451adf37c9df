#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import type { AuditFormat } from './audit-formats.js';
import { connected, examples, onBillRun, optional, print, type CommonOptions } from './command.js';
import { addList } from './list.js';
import { addSignals, addStatus } from './operators.js';
import { addResend } from './resend.js';
import { addStart } from './start.js';
import { BillRunEmailsError, EXIT, exitCodeOfFailure, failureIn, type Failure } from '../failures/errors.js';
import * as tables from './tables.js';

const EXIT_CODES = `
Exit codes:
  0  done as asked
  1  unexpected
  2  usage or invalid input
  3  no such bill run or workflow
  4  waits for a person
  5  ended without emailing
  6  Temporal cannot be reached or does not take us
  7  Zuora cannot be reached or does not take us

Temporal is found by the TEMPORAL_* environment variables (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, …),
and bill runs are started on the task queue BILL_RUN_TASK_QUEUE (bill-run-emails).
Runbook: docs/runbook.md`;

const ZUORA_IS_FOUND =
  'Zuora is found by the ZUORA_* environment variables of the worker (ZUORA_BASE_URL, ZUORA_CLIENT_ID, …).';

function createProgram(): Command {
  const program = new Command('bill-run-emails')
    .description('Emails the billing documents of Zuora bill runs: once, after they posted, with an audit trail.')
    .version(versionOf())
    .addHelpText('after', EXIT_CODES)
    .exitOverride();

  addStart(program);
  addStatus(program);
  addList(program);

  onBillRun(program, 'sends', 'every send of a bill run, with its attempts and decisions')
    .addHelpText('after', examples('sends BR-00000001 --json'))
    .action(async (key: string, { json, entity }: CommonOptions) => {
      const sends = await connected((emails) => emails.sends({ billRunKey: key, entityId: entity }));
      print(json, sends, tables.sends(sends));
    });

  addResend(program);
  addSignals(program);

  onBillRun(program, 'audit', 'who sent what, when and why, from event history; needs no worker')
    .addOption(
      new Option('--format <format>', 'how to print it; html is a page of its own, to attach to a ticket')
        .choices(['table', 'json', 'csv', 'html'])
        .default('table'),
    )
    .option('--output <file>', 'write it into a file')
    .addHelpText(
      'after',
      examples('audit BR-00000001', 'audit BR-00000001 --json', 'audit BR-00000001 --format html --output audit.html'),
    )
    .action(async (key: string, { json, entity, format, output }: CommonOptions & AuditOptions) => {
      const audit = await connected((emails) => emails.audit({ billRunKey: key, entityId: entity }));
      const { formatted } = await import('./audit-formats.js');
      const text = formatted(audit, json === true ? 'json' : format);
      if (output === undefined) console.log(text);
      else await writeAudit(output, `${text}\n`);
    });

  program
    .command('setup')
    .description('register the search attributes in the Temporal namespace; safe to repeat')
    .option('--create-namespace', 'register the namespace where it is missing (not for Temporal Cloud)')
    .option('--retention <duration>', 'how long a new namespace keeps closed runs and their audit (30 days)')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', examples('setup', 'setup --create-namespace --retention 90d'))
    .action(async ({ json, createNamespace, retention }: CommonOptions & SetupCommandOptions) => {
      if (retention !== undefined && createNamespace === undefined) {
        throw new BillRunEmailsError('InvalidInput', 'invalid input: --retention is for --create-namespace');
      }
      const [{ connect }, { setup }] = await Promise.all([
        import('../temporal/connection.js'),
        import('../temporal/setup.js'),
      ]);
      const { connection, namespace } = await connect();
      try {
        const result = await setup(connection, namespace, createNamespace ? { createNamespace: { retention } } : {});
        print(json, result, tables.setup(result));
      } finally {
        await connection.close();
      }
    });

  addPreview(program);
  addDoctor(program);

  return program;
}

function addPreview(program: Command): void {
  onBillRun(program, 'preview', 'what a send would email now, and what would hold it back; asks Zuora, changes nothing')
    .addOption(new Option('--org <id...>', 'Zuora Multi-Org only: the orgs'))
    .option('--cool-down <duration>', "how long after Zuora's last emails a first send waits (24 hours)")
    .addHelpText('after', `${examples('preview BR-00000001', 'preview BR-00000001 --json')}\n\n${ZUORA_IS_FOUND}`)
    .action(async (key: string, { json, entity, org, ...rest }: CommonOptions & PreviewOptions) => {
      const [{ preview }, { previewTable }] = await Promise.all([
        import('../preview.js'),
        import('./preview-table.js'),
      ]);
      const input = { billRunKey: key, ...optional('entityId', entity), ...optional('orgIds', org), ...rest };
      const previewed = await preview(input);
      print(json, previewed, previewTable(previewed));
    });
}

function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check all that must be right before a bill run can be emailed; changes nothing')
    .option('--entity <id>', 'Zuora Multi-entity only: the entity to read in')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', `${examples('doctor', 'doctor --json')}\n\n${ZUORA_IS_FOUND}`)
    .action(async ({ json, entity }: CommonOptions) => {
      const [doctor, { doctorTable }] = await Promise.all([import('../doctor/doctor.js'), import('./doctor-table.js')]);
      const diagnosis = await doctor.diagnose(optional('entityId', entity));
      print(json, diagnosis, doctorTable(diagnosis));
      process.exitCode = doctor.exitCodeOfDiagnosis(diagnosis);
    });
}

interface SetupCommandOptions {
  readonly createNamespace?: true;
  readonly retention?: string;
}

interface PreviewOptions {
  readonly org?: string[];
  readonly coolDown?: string;
}

interface AuditOptions {
  readonly format: AuditFormat;
  readonly output?: string;
}

async function writeAudit(file: string, text: string): Promise<void> {
  const { writeFile } = await import('node:fs/promises');
  try {
    await writeFile(file, text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BillRunEmailsError('InvalidInput', `the audit cannot be written: ${why}`, { cause: error });
  }
}

/** From the manifest above dist/. */
function versionOf(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}

async function main(args: readonly string[]): Promise<void> {
  // Whoever reads us may stop reading: `hold --all --yes | head`. What was asked for is done all the same.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  try {
    await createProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    const json = args.includes('--json');
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.invalid;
      // Commander has said it on stderr.
      if (json && error.exitCode !== 0) printError({ type: 'InvalidInput', message: error.message });
      return;
    }
    const failure = failureIn(error);
    // Where we did not expect it, we need to see where it came from.
    console.error(failure.type === 'Unexpected' ? error : failure.message);
    if (json) printError(failure);
    process.exitCode = exitCodeOfFailure(failure);
  }
}

function printError({ type, message }: Failure): void {
  console.log(JSON.stringify({ error: { type, message } }));
}

await main(process.argv.slice(2));
