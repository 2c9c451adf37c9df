#!/usr/bin/env node
import { Command, CommanderError, Option } from 'commander';
import type { OperatorSignal, StartResult } from './bill-run-emails.js';
import {
  connected,
  examples,
  onBillRun,
  optional,
  print,
  wholeNumber,
  type CommonOptions,
  type NoteOptions,
} from './cli/command.js';
import { addList } from './cli/list.js';
import { BillRunEmailsError, EXIT, exitCodeOf } from './errors.js';
import type { EmailState } from '../workflows/contract.js';
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

Temporal is found by the TEMPORAL_* environment variables (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, …).`;

const ZUORA_IS_FOUND =
  'Zuora is found by the ZUORA_* environment variables of the worker (ZUORA_BASE_URL, ZUORA_CLIENT_ID, …).';

function createProgram(): Command {
  const program = new Command('bill-run-emails')
    .description('Emails the billing documents of Zuora bill runs: once, after they posted, with an audit trail.')
    .addHelpText('after', EXIT_CODES)
    .exitOverride();

  onBillRun(program, 'start', 'email a bill run once it is posted; joins a run that is at it already')
    .option('--resend', 'email all documents, also those emailed before')
    .option('--request-id <id>', 'names the request; repeating it asks once, also when earlier runs have closed')
    .addOption(new Option('--org <id...>', 'Zuora Multi-Org only: the orgs'))
    .option('--requested-by <who>', 'who asks')
    .option('--reason <why>', 'why')
    .option('--post-deadline <duration>', 'how long to wait for the post (30 days)')
    .option('--send-budget <duration>', 'how long to attempt a send without a person (12 hours, at most 20)')
    .option('--cool-down <duration>', "how long after Zuora's last emails a first send waits (24 hours)")
    .option('--attention-window <duration>', 'how long a question to a person stays open (7 days)')
    .option('--escalation-window <duration>', 'how long the run stays open after a send (7 days)')
    .option('--again', 'start anew after a cancel or a terminate')
    .addHelpText('after', examples('start BR-00000001', 'start BR-00000001 --requested-by nightly-billing --json'))
    .action(async (key: string, options: CommonOptions & StartOptions) => {
      const { json, entity, again = false, org, ...rest } = options;
      const input = { billRunKey: key, ...optional('entityId', entity), ...optional('orgIds', org), ...rest };
      const started = await connected((emails) => emails.start(input, { again }));
      print(json, started, tables.started(started));
      process.exitCode = exitCodesOfStart[started.result];
    });

  onBillRun(program, 'status', 'what a bill run is doing, what it waits for, and what it asks')
    .addHelpText('after', examples('status BR-00000001', 'status BR-00000001 --json'))
    .action(async (key: string, { json, entity }: CommonOptions) => {
      const status = await connected((emails) => emails.status({ billRunKey: key, entityId: entity }));
      print(json, status, tables.status(status));
      process.exitCode = exitCodesOfState[status.state];
    });

  addList(program);

  onBillRun(program, 'sends', 'every send of a bill run, with its attempts and decisions')
    .addHelpText('after', examples('sends BR-00000001 --json'))
    .action(async (key: string, { json, entity }: CommonOptions) => {
      const sends = await connected((emails) => emails.sends({ billRunKey: key, entityId: entity }));
      print(json, sends, tables.sends(sends));
    });

  onBillRun(program, 'resend', 'email all documents again: by the run at work, or else by a new one')
    .option('--request-id <id>', 'names the request; repeating it asks once, also when earlier runs have closed')
    .addOption(new Option('--org <id...>', 'Zuora Multi-Org only: the orgs'))
    .option('--requested-by <who>', 'who asks')
    .option('--reason <why>', 'why')
    .addHelpText('after', examples('resend BR-00000001 --requested-by alice --reason "template was wrong, TICKET-1"'))
    .action(
      async (key: string, { json, entity, org, ...message }: CommonOptions & NoteOptions & { org?: string[] }) => {
        const billRun = { billRunKey: key, ...optional('entityId', entity), ...optional('orgIds', org) };
        const asked = await connected((emails) => emails.requestResend(billRun, message));
        print(json, asked, `Asked ${asked.workflowId} to email all documents; request ${asked.requestId}.`);
      },
    );

  const signals: Record<OperatorSignal, string> = {
    retry: 'answer the open question of a bill run: try again',
    hold: 'start no further attempt until released',
    release: 'let attempts go on after a hold',
    finish: 'close a run now; nothing more is sent',
  };
  for (const [signal, description] of Object.entries(signals) as [OperatorSignal, string][]) {
    const command = onBillRun(program, signal, description)
      .option('--requested-by <who>', 'who asks')
      .option('--reason <why>', 'why');
    if (signal === 'retry') {
      command
        .option('--ordinal <number>', 'the send that is meant', wholeNumber(1))
        .option('--send-anyway', 'override what holds the send back, at your own risk');
    }
    command
      .addHelpText('after', examples(`${signal} BR-00000001 --requested-by alice --reason "seen to it"`))
      .action(async (key: string, { json, entity, ...message }: CommonOptions & NoteOptions) => {
        const signaled = await connected((emails) =>
          emails.signal({ billRunKey: key, entityId: entity }, signal, message),
        );
        print(
          json,
          { ...signaled, signal },
          `Told ${signaled.workflowId}: ${signal}. See: bill-run-emails status ${key}`,
        );
      });
  }

  onBillRun(program, 'audit', 'who sent what, when and why, from event history; needs no worker')
    .addHelpText('after', examples('audit BR-00000001', 'audit BR-00000001 --json'))
    .action(async (key: string, { json, entity }: CommonOptions) => {
      const audit = await connected((emails) => emails.audit({ billRunKey: key, entityId: entity }));
      print(json, audit, tables.audit(audit));
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
      const [{ connect }, { setup }] = await Promise.all([import('./connection.js'), import('./setup.js')]);
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
      const [{ preview }, { previewTable }] = await Promise.all([import('./preview.js'), import('./preview-table.js')]);
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
      const [doctor, { doctorTable }] = await Promise.all([import('./doctor.js'), import('./doctor-table.js')]);
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

interface StartOptions extends NoteOptions {
  readonly again?: boolean;
  readonly resend?: boolean;
  readonly requestId?: string;
  readonly org?: string[];
}

const exitCodesOfStart: Readonly<Record<StartResult['result'], number>> = {
  started: EXIT.done,
  joined: EXIT.done,
  alreadyEmailed: EXIT.done,
  canceled: EXIT.notEmailed,
  terminated: EXIT.notEmailed,
};

const exitCodesOfState: Readonly<Record<EmailState, number>> = {
  WaitingForPost: EXIT.done,
  Delayed: EXIT.done,
  Sending: EXIT.done,
  Held: EXIT.done,
  Emailed: EXIT.done,
  HandedOver: EXIT.done,
  NeedsAttention: EXIT.needsPerson,
  NotPosted: EXIT.notEmailed,
  Skipped: EXIT.notEmailed,
  Finished: EXIT.notEmailed,
  Canceled: EXIT.notEmailed,
};

async function main(args: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.invalid;
    else if (error instanceof BillRunEmailsError) {
      console.error(error.message);
      process.exitCode = exitCodeOf[error.type];
    } else {
      console.error(error);
      process.exitCode = EXIT.unexpected;
    }
  }
}

await main(process.argv.slice(2));
