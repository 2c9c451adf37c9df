import type { Connection } from '@temporalio/client';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { missingSearchAttributes, searchAttributes } from '../workflows/search-attributes.js';
import { BillRunEmailsError } from './errors.js';

export interface SetupResult {
  readonly namespace: string;
  readonly registered: readonly string[];
  readonly present: readonly string[];
}

const DEADLINE_MS = 30_000;

/** Registers the search attributes that a namespace lacks; safe to repeat. */
export async function setup(connection: Connection, namespace: string): Promise<SetupResult> {
  try {
    return await connection.withDeadline(Date.now() + DEADLINE_MS, () => register(connection, namespace));
  } catch (error) {
    const said = error instanceof Error ? error.message : 'unknown reason';
    const message = `the search attributes of namespace ${namespace} cannot be registered: ${said}`;
    throw new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
  }
}

async function register({ operatorService }: Connection, namespace: string): Promise<SetupResult> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const missing = missingSearchAttributes(customAttributes);
  if (missing.length > 0) {
    await operatorService.addSearchAttributes({ namespace, searchAttributes: indexedTypes(missing) });
  }
  const registered = missing.map(({ name }) => name);
  return {
    namespace,
    registered,
    present: Object.values(searchAttributes)
      .map(({ name }) => name)
      .filter((name) => !registered.includes(name)),
  };
}

type Key = (typeof searchAttributes)[keyof typeof searchAttributes];

/** Search attributes as Temporal's operator service takes them: name and number of the type. */
export function indexedTypes(keys: readonly Key[] = Object.values(searchAttributes)): Record<string, number> {
  return Object.fromEntries(keys.map(({ name, type }) => [name, encodeSearchAttributeIndexedValueType(type) ?? 0]));
}
