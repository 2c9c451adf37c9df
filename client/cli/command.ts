/** What the commands have in common. */
import { InvalidArgumentError, type Command } from 'commander';
import type { BillRunEmails } from '../bill-run-emails.js';

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
    .argument('<bill-run>', 'number of the bill run, such as BR-00000001, or its ID')
    .option('--entity <id>', 'Zuora Multi-entity only: the entity of the bill run')
    .option('--json', 'one JSON document on stdout');
}

export function wholeNumber(least: 0 | 1): (text: string) => number {
  return (text) => {
    const number = /^(0|[1-9]\d{0,8})$/.test(text) ? Number(text) : NaN;
    if (!(number >= least)) throw new InvalidArgumentError(`It must be a whole number from ${least} on.`);
    return number;
  };
}

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  bill-run-emails ${line}`).join('\n')}`;
}

export function optional<Name extends string, T>(name: Name, value: T | undefined): Partial<Record<Name, T>> {
  return value === undefined ? {} : ({ [name]: value } as Partial<Record<Name, T>>);
}

/** Loads Temporal's client only when a command needs it: help and mistakes answer at once. */
export async function connected<T>(ask: (emails: BillRunEmails) => Promise<T>): Promise<T> {
  const { BillRunEmails } = await import('../bill-run-emails.js');
  const emails = await BillRunEmails.connect();
  try {
    return await ask(emails);
  } finally {
    await emails.close();
  }
}

export function print(json: true | undefined, value: unknown, text: string): void {
  console.log(json === true ? JSON.stringify(value) : text);
}
