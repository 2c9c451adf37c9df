/** What the commands have in common. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { asZuoraWrites } from '../../workflows/contract/validation.js';
import type { BillRunEmails } from '../bill-run-emails.js';
import type { StartResult } from '../starting.js';
import { BillRunEmailsError, exitCodeOfFailure, failureIn, type Failure } from '../failures/errors.js';
import { escaped, failureInWords } from '../failures/plain-text.js';
import { coloured, hanging } from './terminal.js';

export interface CommonOptions {
  readonly json?: true;
  readonly entity?: string;
}

export interface NoteOptions {
  readonly requestedBy?: string;
  readonly reason?: string;
}

export function onBillRun(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .argument('<bill-run>', 'number of the bill run, such as BR-00000001, or its ID', asZuoraWrites)
    .option('--entity <id>', 'Zuora Multi-entity only: the entity of the bill run')
    .option('--json', 'one JSON line on stdout');
}

/** In the help, commands stand together by what a person wants. */
export const GROUP = { send: 'Send:', look: 'Look:', stop: 'Stop:', setUp: 'Set up:' } as const;

const TEMPORAL_OPTIONS = [
  { name: 'address', value: '<host:port>', what: 'where Temporal is' },
  { name: 'namespace', value: '<name>', what: 'the namespace in Temporal' },
  { name: 'profile', value: '<name>', what: "the profile in Temporal's configuration file" },
] as const;

const variableOf = (name: string): string => `TEMPORAL_${name.toUpperCase()}`;

/** The options by which a command finds Temporal. */
export function addTemporalOptions(command: Command): void {
  for (const { name, value, what } of TEMPORAL_OPTIONS) {
    const option = new Option(`--${name} ${value}`, `${what}; wins over ${variableOf(name)}`);
    command.addOption(option.argParser(notEmpty).helpGroup('Temporal:'));
  }
}

function notEmpty(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It must not be empty.');
  return text;
}

/** Puts the options into the variables that the connection reads. After a command's name they win. */
export function useTemporalOptions(...commands: readonly Command[]): void {
  for (const command of commands) {
    for (const { name } of TEMPORAL_OPTIONS) {
      const value = command.getOptionValue(name) as string | undefined;
      if (value !== undefined) process.env[variableOf(name)] = value;
      // Commands send their other options on, as fields of a message.
      command.setOptionValue(name, undefined);
    }
  }
}

export function withNote(command: Command): Command {
  return command.option('--requested-by <who>', 'who asks').option('--reason <why>', 'why');
}

export function wholeNumber(least: 0 | 1): (text: string) => number {
  return (text) => {
    const number = /^(0|[1-9]\d{0,8})$/.test(text) ? Number(text) : NaN;
    if (!(number >= least)) throw new InvalidArgumentError(`It must be a whole number, ${least} or more.`);
    return number;
  };
}

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  bill-run-emails ${line}`).join('\n')}`;
}

export const ZUORA_IS_FOUND = `Zuora is found by the ZUORA_* variables of the worker, such as ZUORA_BASE_URL,
ZUORA_CLIENT_ID and ZUORA_CLIENT_SECRET.`;

/** Loads Temporal's client only for a command that needs it: help and mistakes answer at once. */
export async function connected<T>(ask: (emails: BillRunEmails) => Promise<T>): Promise<T> {
  const { BillRunEmails } = await import('../bill-run-emails.js');
  const emails = await BillRunEmails.connect();
  try {
    return await ask(emails);
  } finally {
    await emails.close();
  }
}

/** A mistake in the command itself: one line, without a stack trace. */
export function mistake(message: string): BillRunEmailsError {
  return new BillRunEmailsError('InvalidInput', message);
}

export const NO_NAME = 'the user of this machine has no name, so say who asks by --requested-by';

/** What a command found out about one bill run. */
export interface Found {
  readonly workflowId: string;
}

/** The one shape of `--json`, for all commands about bill runs. */
export function jsonOf(billRunKey: string | null, found: Found): string {
  const { workflowId, ...rest } = found;
  return jsonLine({ billRunKey, workflowId, ok: true, ...rest });
}

export function jsonOfFailure(billRunKey: string | null, { type, message }: Failure, also: object = {}): string {
  return jsonLine({ billRunKey, workflowId: null, ok: false, ...also, error: { type, message } });
}

/** JSON on one line, which a terminal shows as it is. */
export function jsonLine(value: object): string {
  return escaped(JSON.stringify(value));
}

/** What a command found out, for the functions that put it into words. Only they may add line ends and colours. */
export function forPeople<T extends object>(found: T): T {
  const readable = (_: string, value: unknown): unknown => (typeof value === 'string' ? escaped(value) : value);
  return JSON.parse(JSON.stringify(found), readable) as T;
}

/** Has a command report each warning of its starts once: on stderr, or in the JSON line. */
export function reportingOnce(json: true | undefined) {
  const reported = new Set<string>();
  return <R extends Pick<StartResult, 'warnings'>>({
    warnings = [],
    ...found
  }: R): Omit<R, 'warnings'> & Pick<StartResult, 'warnings'> => {
    const fresh = warnings.filter((each) => !reported.has(each));
    for (const warning of fresh) reported.add(warning);
    if (json === true) return fresh.length === 0 ? found : { ...found, warnings: fresh };
    for (const warning of fresh) console.error(`Warning: ${escaped(warning)}.`);
    return found;
  };
}

/** Input fields whose options have other names. */
const FLAGS: Readonly<Record<string, string>> = { billRunKey: '<bill-run>', entityId: '--entity', orgIds: '--org' };

const flagOf = (field: string): string =>
  FLAGS[field] ?? `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Names the options that the person gave, instead of the fields and variables that they stand for. */
export function inFlags({ type, message }: Failure): Failure {
  if (type === 'InvalidInput') {
    const fields = /(?<=^invalid input: |; )[a-z]+(?:[A-Z][a-z]+)*(?= (?:must be|is missing)\b)/g;
    return { type, message: message.replace(fields, flagOf) };
  }
  const given = TEMPORAL_OPTIONS.filter(({ name }) => process.argv.some((arg) => arg.split('=', 1)[0] === `--${name}`));
  const inWords = given.reduce((text, { name }) => text.replaceAll(variableOf(name), `--${name}`), message);
  return { type, message: inWords };
}

/** The one form of errors on stderr. */
export function printError(text: string): void {
  const lines = text.replace(/^Error: /, '').split('\n');
  const label = `${coloured('red', 'Error:', process.stderr)} `;
  console.error(lines.map((line, at) => hanging(at === 0 ? label : '', line, process.stderr)).join('\n'));
}

/**
 * Ends a command with a failure.
 *
 * @param billRunKey the bill run that it is about; null if it is about none, or about several
 */
export function fail(error: unknown, json: boolean, billRunKey: string | null = null): void {
  const failure = inFlags(failureIn(error));
  printError(failureInWords(error, failure));
  if (json) console.log(jsonOfFailure(billRunKey, failure));
  process.exitCode = exitCodeOfFailure(failure);
}

/** Answers about one bill run, with its exit code. */
export async function answer<R extends Found>(
  { billRunKey, json }: { readonly billRunKey: string | null; readonly json: true | undefined },
  ask: () => Promise<R>,
  { inWords, exitCode }: Answer<R>,
): Promise<void> {
  try {
    const found = await ask();
    console.log(json === true ? jsonOf(billRunKey, found) : inWords(forPeople(found)));
    if (exitCode !== undefined) process.exitCode = exitCode(found);
  } catch (error) {
    fail(error, json === true, billRunKey);
  }
}

export interface Answer<R> {
  readonly inWords: (found: R) => string;
  readonly exitCode?: (found: R) => number;
}
