import type { Connection } from '@temporalio/client';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { msToTs } from '@temporalio/common/lib/time.js';
import { milliseconds } from '../../workflows/contract/validation.js';
import { missingSearchAttributes, searchAttributes } from '../../workflows/contract/search-attributes.js';
import { BillRunEmailsError } from '../failures/errors.js';
import { failedAs } from '../failures/grpc.js';

export interface SetupOptions {
  /** Registers the namespace if it is missing, and never changes an existing one. Not for Temporal Cloud, which has its own tools. */
  readonly createNamespace?: {
    /**
     * How long Temporal keeps closed jobs, with their audit and their memory of sends: a duration of a day or more. Default:
     * 30 days.
     */
    readonly retention?: string | undefined;
  };
}

export interface SetupResult {
  readonly namespace: string;
  readonly namespaceCreated: boolean;
  readonly registered: readonly string[];
  readonly present: readonly string[];
}

const DEADLINE_MS = 30_000;
const DAY_MS = 24 * 60 * 60_000;
const MOST_DAYS = 3650;
/** Parts of the server notice a new namespace only after seconds. */
const RETRY_EVERY_MS = 250;

/**
 * Registers the missing search attributes of a namespace, and on request the namespace itself. It is safe to repeat.
 *
 * @throws {@link BillRunEmailsError} `InvalidInput` or `TemporalUnavailable`
 */
export async function setup(
  connection: Connection,
  namespace: string,
  { createNamespace }: SetupOptions = {},
): Promise<SetupResult> {
  const retentionMs = createNamespace === undefined ? undefined : checkedRetention(createNamespace.retention);
  const endsAt = Date.now() + DEADLINE_MS;
  try {
    return await connection.withDeadline(endsAt, async () => {
      const namespaceCreated = retentionMs !== undefined && (await create(connection, namespace, retentionMs));
      const attributes = await untilFound(namespaceCreated ? endsAt : 0, () => register(connection, namespace));
      return { namespace, namespaceCreated, ...attributes };
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown reason';
    const hint = failedAs(error, 'notFound') ? '; --create-namespace registers it, unless the name is wrong' : '';
    const message = `namespace ${namespace} cannot be set up: ${reason}${hint}`;
    throw new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
  }
}

function checkedRetention(retention = '30 days'): number {
  const retentionMs = milliseconds(retention);
  if (retentionMs >= DAY_MS && retentionMs <= MOST_DAYS * DAY_MS) return retentionMs;
  const message = `invalid input: retention must be a duration of 1 to ${MOST_DAYS} days, such as "30d"`;
  throw new BillRunEmailsError('InvalidInput', message);
}

/** @returns whether the namespace is new */
async function create({ workflowService }: Connection, namespace: string, retentionMs: number): Promise<boolean> {
  try {
    await workflowService.describeNamespace({ namespace });
    return false;
  } catch (error) {
    if (!failedAs(error, 'notFound')) throw error;
  }
  try {
    await workflowService.registerNamespace({
      namespace,
      description: 'Emails of Zuora bill runs',
      workflowExecutionRetentionPeriod: msToTs(retentionMs),
    });
    return true;
  } catch (error) {
    // Another process was faster.
    if (failedAs(error, 'alreadyExists')) return true;
    throw error;
  }
}

/** Retries until `endsAt` (epoch ms) while the namespace is not found. */
async function untilFound<T>(endsAt: number, call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!failedAs(error, 'notFound') || Date.now() + RETRY_EVERY_MS > endsAt) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_EVERY_MS));
  }
}

async function register(
  { operatorService }: Connection,
  namespace: string,
): Promise<Pick<SetupResult, 'registered' | 'present'>> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const missing = missingSearchAttributes(customAttributes);
  if (missing.length > 0) {
    await operatorService.addSearchAttributes({ namespace, searchAttributes: indexedTypes(missing) });
  }
  const registered = missing.map(({ name }) => name);
  return {
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
