import ms, { type StringValue } from 'ms';
import type { EmailBillRunInput, NoteMessage, ResendMessage, RetryMessage } from './contract.js';
import type { SweepInput } from './sweep.js';
import { undecodable } from './undecodable.js';

/** Either the checked value, or a sentence for each fault. */
export type Checked<T> =
  { readonly value: T; readonly faults?: never } | { readonly value?: never; readonly faults: readonly string[] };

/** The input with defaults in place and durations in milliseconds. */
export interface Settings {
  readonly billRunKey: string;
  readonly resend: boolean;
  readonly requestId?: string;
  readonly requestedBy?: string;
  readonly reason?: string;
  readonly entityId?: string;
  readonly orgIds?: readonly string[];
  readonly hold?: boolean;
  readonly again?: boolean;
  readonly missing?: boolean;
  readonly postDeadlineMs: number;
  readonly sendBudgetMs: number;
  readonly coolDownMs: number;
  readonly openForMs: number;
}

/** Checks the argument of `emailBillRun` and names every fault. Clients call it before they start a job. */
export function checkInput(value: unknown): Checked<Settings> {
  const checked = checkFields(value, inputChecks());
  if (checked.faults !== undefined) return checked;
  const { postDeadline, sendBudget, coolDown, openFor, ...rest } = checked.value;
  if (rest.resend === true && rest.requestId === undefined) {
    return {
      faults: ['requestId is missing; a resend needs one, such as a ticket number, so that repeating it emails once'],
    };
  }
  if (rest.resend === true && rest.missing === true) {
    return { faults: ['missing must be left out of a resend: a resend emails all documents'] };
  }
  return {
    value: {
      resend: false,
      ...rest,
      billRunKey: asZuoraWrites(rest.billRunKey),
      postDeadlineMs: milliseconds(postDeadline ?? '30 days'),
      sendBudgetMs: milliseconds(sendBudget ?? '12 hours'),
      coolDownMs: milliseconds(coolDown ?? '24 hours'),
      openForMs: milliseconds(openFor ?? '7 days'),
    },
  };
}

/** Zuora writes numbers of bill runs in capitals; other keys stay as they are. */
export function asZuoraWrites(key: string): string {
  return /^br-\d+$/i.test(key) ? key.toUpperCase() : key;
}

function inputChecks(): Checks<EmailBillRunInput> {
  return {
    billRunKey: required(identifier('an ID or number of a bill run, such as BR-00000001')),
    resend: boolean,
    requestId: text(100),
    requestedBy: text(200),
    reason: text(1000),
    entityId: identifier('the ID of an entity'),
    orgIds: listOf(identifier('the ID of an org')),
    hold: boolean,
    again: boolean,
    missing: boolean,
    postDeadline: duration({ zero: false }),
    sendBudget: duration({ zero: false, most: '20 hours' }),
    coolDown: duration({ zero: true }),
    openFor: duration({ zero: true }),
  };
}

/** The names of the input fields of `emailBillRun`. */
export function inputFields(): readonly string[] {
  return Object.keys(inputChecks());
}

export function checkResend(value: unknown): Checked<ResendMessage> {
  return checkFields<ResendMessage>(value ?? {}, { requestId: text(100), requestedBy: text(200), reason: text(1000) });
}

export function checkNote(value: unknown): Checked<NoteMessage> {
  return checkFields<NoteMessage>(value ?? {}, { requestedBy: text(200), reason: text(1000) });
}

/** Who asks and why, without absent fields. */
export function noteOf({
  requestedBy,
  reason,
}: { readonly [Field in keyof NoteMessage]: string | undefined }): NoteMessage {
  return {
    ...(requestedBy === undefined ? {} : { requestedBy }),
    ...(reason === undefined ? {} : { reason }),
  };
}

export function checkRetry(value: unknown): Checked<RetryMessage> {
  const checked = checkFields<RetryMessage>(value ?? {}, {
    ordinal: positiveInteger,
    requestId: text(100),
    requestedBy: text(200),
    reason: text(1000),
    sendAnyway: boolean,
  });
  const { sendAnyway, requestedBy, reason } = checked.value ?? {};
  if (sendAnyway !== true || (requestedBy !== undefined && reason !== undefined)) return checked;
  return {
    faults: ['sendAnyway needs requestedBy and reason: customers may get a second email, and somebody takes that risk'],
  };
}

/** The argument of `sweepBillRuns`; times in milliseconds since the epoch. */
export interface SweepSettings {
  readonly postedSinceMs: number;
  readonly startPostedSince?: number;
  readonly entityId?: string;
}

export function checkSweep(value: unknown): Checked<SweepSettings> {
  const { value: input, faults } = checkFields<SweepInput>(value ?? {}, {
    postedSince: duration({ zero: false }),
    startPostedSince: instant,
    entityId: identifier('the ID of an entity'),
  });
  if (faults !== undefined) return { faults };
  const { postedSince = '3 days', startPostedSince, entityId } = input;
  return {
    value: {
      postedSinceMs: milliseconds(postedSince),
      ...(startPostedSince === undefined ? {} : { startPostedSince: Date.parse(startPostedSince) }),
      ...(entityId === undefined ? {} : { entityId }),
    },
  };
}

/** Returns what the value must be, or undefined if it is valid. */
type Check = (value: unknown) => string | undefined;
interface RequiredCheck {
  readonly required: Check;
}
type Checks<T> = { readonly [Field in keyof T]-?: Check | RequiredCheck };

function checkFields<T extends object>(value: unknown, checks: Checks<T>): Checked<T> {
  if (undecodable(value)) return { faults: [`the argument cannot be decoded: ${value.undecodable.slice(0, 100)}`] };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { faults: [`the argument must be an object, such as {"${Object.keys(checks)[0] ?? ''}": …}`] };
  }
  // Other languages send null for a field that is absent.
  const given = Object.entries(value).filter(([, field]) => field !== undefined && field !== null);
  const known = new Map<string, Check | RequiredCheck>(Object.entries(checks));
  const faults: string[] = [];
  for (const [name, check] of known) {
    const field = given.find(([each]) => each === name);
    if (field === undefined) {
      if (typeof check === 'object') faults.push(`${name} is missing`);
      continue;
    }
    const fault = (typeof check === 'object' ? check.required : check)(field[1]);
    if (fault !== undefined) faults.push(`${name} must be ${fault}`);
  }
  const unknown = given.map(([name]) => name).filter((name) => !known.has(name));
  if (unknown.length > 0) faults.push(`${namesOf(unknown)} unknown; the fields are ${[...known.keys()].join(', ')}`);
  // `given` now has exactly the fields and types that the checks ask for.
  return faults.length > 0 ? { faults } : { value: Object.fromEntries(given) as unknown as T };
}

/** At most ten: a failure of megabytes would block the job that it should end. */
function namesOf(fields: readonly string[]): string {
  const named = fields.slice(0, 10).map((name) => JSON.stringify(name.slice(0, 60)));
  const more = fields.length - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''} ${fields.length === 1 ? 'is' : 'are'}`;
}

function required(check: Check): RequiredCheck {
  return { required: check };
}

const boolean: Check = (value) => (typeof value === 'boolean' ? undefined : 'true or false');

const positiveInteger: Check = (value) =>
  Number.isSafeInteger(value) && Number(value) > 0 ? undefined : 'a whole number, 1 or more';

/** Half of a surrogate pair in the message of a failure ends the whole worker (SDK 1.24), so it is refused. */
function text(longest: number): Check {
  return (value) => {
    if (typeof value !== 'string' || value === '' || value.length > longest || /\p{Surrogate}/u.test(value)) {
      return `a text of 1 to ${longest} characters in well-formed Unicode`;
    }
    return PLACEHOLDER.test(value) ? `your own text instead of the placeholder ${value.trim()}` : undefined;
  };
}

/** The placeholder that a message still holds, such as `<who>`. */
export function placeholderIn(message: unknown): string | undefined {
  const fields: unknown[] = typeof message === 'object' && message !== null ? Object.values(message) : [];
  return fields.find((field): field is string => typeof field === 'string' && PLACEHOLDER.test(field))?.trim();
}

/** What the offered inputs have where a person must write something. */
const PLACEHOLDER = /^\s*<[\w -]{1,30}>\s*$/;

/** Identifiers become part of URLs, headers and workflow ids, so only plain characters are allowed. */
export function isIdentifier(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(value);
}

function identifier(what: string): Check {
  return (value) =>
    isIdentifier(value)
      ? undefined
      : `${what}: 1 to 100 letters, digits, hyphens, dots and underscores, the first one a letter or digit`;
}

function listOf(check: Check): Check {
  return (value) =>
    Array.isArray(value) && value.length > 0 && value.length <= 100 && value.every((each) => check(each) === undefined)
      ? undefined
      : `a list of 1 to 100 items, each ${check(undefined) ?? ''}`;
}

/** A day begins in UTC. */
const instant: Check = (value) => {
  const isWritten =
    typeof value === 'string' &&
    /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(value) &&
    !Number.isNaN(Date.parse(value));
  return isWritten ? undefined : 'a date such as 2026-11-01, or a time with its zone such as 2026-11-01T06:00:00Z';
};

function duration({ zero, most = '366 days' }: { zero: boolean; most?: StringValue }): Check {
  return (value) => {
    const length = typeof value === 'string' ? milliseconds(value) : NaN;
    const long = zero ? length >= 0 : length > 0;
    const bounds = `${zero ? '' : 'more than zero and '}at most ${most}`;
    return long && length <= ms(most) ? undefined : `a duration such as "90s", "12 hours" or "30d", ${bounds}`;
  };
}

/** NaN if the text is not a duration. A number needs its unit: "5" could be milliseconds or days. */
export function milliseconds(value: string): number {
  if (value.length > 100 || !/[a-z]\s*$/i.test(value)) return NaN;
  try {
    return ms(value as StringValue);
  } catch {
    return NaN;
  }
}
