import { ConfigurationError } from '../../environment/configuration-error.js';
import type { Checked } from '../../workflows/contract/validation.js';

/** Exit codes of the command line. */
export const EXIT = {
  done: 0,
  unexpected: 1,
  invalid: 2,
  notFound: 3,
  needsPerson: 4,
  notEmailed: 5,
  temporal: 6,
  zuora: 7,
  /** The work is done, but its results are lost: stdout or stderr cannot be written. */
  output: 8,
} as const;

export type ErrorType =
  /** The input or the message breaks the contract. */
  | 'InvalidInput'
  /** The environment is incomplete or invalid: the type of a `ConfigurationError`. */
  | 'InvalidConfiguration'
  /** The job rejected the message: it changed nothing. */
  | 'Ignored'
  /** The last job has closed, and nothing is known to be missing from what it emailed. */
  | 'NothingMissing'
  /** Temporal has no job of this bill run, or Zuora has no such bill run. */
  | 'NotFound'
  /** Temporal cannot be reached, refuses us, or no worker answers. */
  | 'TemporalUnavailable'
  /** Zuora cannot be reached, or refuses us. */
  | 'ZuoraUnavailable';

/** Every failure of the library. `type` is stable; the message says what to do. */
export class BillRunEmailsError extends Error {
  override readonly name = 'BillRunEmailsError';
  readonly type: ErrorType;

  constructor(type: ErrorType, message: string, options?: ErrorOptions) {
    super(message, options);
    this.type = type;
  }
}

/** Names a request in every failure, so that it can be repeated under the same id. */
export async function naming<T>(requestId: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const { type, message } = failureIn(error);
    const isUnknown = type === 'TemporalUnavailable';
    const name = `; request ${requestId}${isUnknown ? ' may have been taken: repeat it under the same id, and it emails once' : ''}`;
    if (type === 'Unexpected' || message.endsWith(name)) throw error;
    throw new BillRunEmailsError(type, `${message}${name}`, { cause: error });
  }
}

/** @throws BillRunEmailsError `InvalidInput` that names all faults */
export function valid<T>({ value, faults }: Checked<T>): T {
  if (faults !== undefined) throw new BillRunEmailsError('InvalidInput', `invalid input: ${faults.join('; ')}`);
  return value;
}

export const exitCodeOf: Readonly<Record<ErrorType, number>> = {
  InvalidInput: EXIT.invalid,
  InvalidConfiguration: EXIT.invalid,
  Ignored: EXIT.invalid,
  NothingMissing: EXIT.needsPerson,
  NotFound: EXIT.notFound,
  TemporalUnavailable: EXIT.temporal,
  ZuoraUnavailable: EXIT.zuora,
};

/** Any failure, as the command line prints it. */
export interface Failure {
  readonly type: ErrorType | 'Unexpected';
  readonly message: string;
}

export function failureIn(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  const known = error instanceof BillRunEmailsError || error instanceof ConfigurationError;
  return { type: known ? error.type : 'Unexpected', message };
}

export function exitCodeOfFailure({ type }: Failure): number {
  return type === 'Unexpected' ? EXIT.unexpected : exitCodeOf[type];
}

/** The first line of a message. The parser of Temporal's configuration files adds the lines around a fault, which may hold a key. */
export function firstLineOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown reason';
  const [line = ''] = error.message.split('\n');
  return line;
}
