import type { Connection } from '@temporalio/client';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { missingSearchAttributes, searchAttributes } from '../../workflows/contract/search-attributes.js';
import { BillRunEmailsError } from '../failures/errors.js';
import { failedAs } from '../failures/grpc.js';

export interface SetupResult {
  readonly namespace: string;
  readonly registered: readonly string[];
  readonly present: readonly string[];
}

const DEADLINE_MS = 30_000;

/**
 * Registers the missing search attributes of a namespace. It is safe to repeat.
 *
 * @throws {@link BillRunEmailsError} `TemporalUnavailable`
 */
export async function setup(connection: Connection, namespace: string): Promise<SetupResult> {
  try {
    return await connection.withDeadline(Date.now() + DEADLINE_MS, () => register(connection, namespace));
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown reason';
    const hint = failedAs(error, 'notFound') ? '; register it first, unless the name is wrong' : '';
    const message = `namespace ${namespace} cannot be set up: ${reason}${hint}`;
    throw new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
  }
}

async function register({ operatorService }: Connection, namespace: string): Promise<SetupResult> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const missing = missingSearchAttributes(customAttributes);
  if (missing.length > 0) {
    await operatorService.addSearchAttributes({ namespace, searchAttributes: indexedTypes(missing) });
  }
  const present = Object.values(searchAttributes).filter((key) => !missing.includes(key));
  return { namespace, registered: missing.map(({ name }) => name), present: present.map(({ name }) => name) };
}

type Key = (typeof searchAttributes)[keyof typeof searchAttributes];

/** Search attributes as Temporal's operator service takes them: name and number of the type. */
export function indexedTypes(keys: readonly Key[] = Object.values(searchAttributes)): Record<string, number> {
  return Object.fromEntries(keys.map(({ name, type }) => [name, encodeSearchAttributeIndexedValueType(type) ?? 0]));
}
