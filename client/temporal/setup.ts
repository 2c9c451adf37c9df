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

/** Without them, every workflow task would fail. Undefined if all are registered. */
export async function faultOfSearchAttributes(
  { operatorService }: Pick<Connection, 'operatorService'>,
  namespace: string,
): Promise<{ readonly text: string; readonly todo: string } | undefined> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const other = mistyped(customAttributes);
  if (other.length > 0) {
    const names = other.map(({ name }) => name).join(', ');
    const types = other.map(({ name, type }) => `${name} ${type}`).join(', ');
    return {
      text: `${names} ${other.length === 1 ? 'is' : 'are'} registered with another type, and no worker starts so`,
      todo:
        `Use another namespace, or one with ${types}; if nothing else needs them: temporal operator search-attribute remove ` +
        `${other.map(({ name }) => `--name ${name}`).join(' ')}, then bill-run-emails setup`,
    };
  }
  const missing = missingSearchAttributes(customAttributes).map(({ name }) => name);
  if (missing.length === 0) return undefined;
  return {
    text: `${namespace} lacks the search attributes ${missing.join(', ')}, and no worker starts without them`,
    todo: 'Register them: bill-run-emails setup (from a checkout: npm run cli -- setup)',
  };
}

function mistyped(registered: Readonly<Record<string, number>>): readonly Key[] {
  const expected = indexedTypes();
  return Object.values(searchAttributes).filter(
    ({ name }) => Object.hasOwn(registered, name) && registered[name] !== expected[name],
  );
}

async function register({ operatorService }: Connection, namespace: string): Promise<SetupResult> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const other = mistyped(customAttributes).map(({ name }) => name);
  if (other.length > 0)
    throw new Error(`it has another type for ${other.join(', ')}; bill-run-emails doctor says more`);
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
