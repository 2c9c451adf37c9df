import { createZuora, type Zuora } from '../../zuora/client.js';
import { zuoraConfiguration } from '../../zuora/configuration.js';
import { NOTIFICATIONS } from '../../zuora/document-outcome.js';
import { kindOfHost } from '../../zuora/host.js';
import {
  definitions,
  definitionsOf,
  emailsFor,
  profiles,
  PROFILES_PATH,
  type Profile,
} from '../../zuora/notifications.js';
import type { CheckToRun, Explanation, Finding } from './checkup.js';
import { firstLineOf } from '../failures/errors.js';
import { todoOf, zuoraTroubleIn } from '../failures/zuora.js';

/** The checks of Zuora; `close` ends their connections. */
export function zuoraChecks(entityId: string | undefined, deadlineMs: number) {
  let client: Zuora | undefined;
  let multiEntity = false;

  function configuration(): Finding {
    const settings = zuoraConfiguration(process.env);
    ({ multiEntity } = settings);
    if (entityId !== undefined && !multiEntity) {
      return {
        result: 'error',
        text: 'an entity was given, but ZUORA_MULTI_ENTITY does not say that the tenant has Multi-entity',
        todo: 'Leave --entity out, or set ZUORA_MULTI_ENTITY=true, for the worker as well',
      };
    }
    client = createZuora({ ...settings.zuora, readDeadlineMs: deadlineMs });
    const { baseUrl } = settings.zuora;
    const text = `${baseUrl.origin}, which is ${kindOfHost(baseUrl)}, with client id and secret, ${multiEntity ? 'with' : 'without'} Multi-entity`;
    return { result: 'ok', text };
  }

  async function token(): Promise<Finding> {
    await client?.authenticate();
    return { result: 'ok', text: 'Zuora gave a token for the client id and the secret' };
  }

  async function read(): Promise<Finding> {
    if (multiEntity && entityId === undefined) {
      return {
        result: 'skipped',
        text: 'not checked, because the tenant has Multi-entity and no entity was named',
        todo: 'Name one: doctor --entity ID',
      };
    }
    await client?.probe({ entityId });
    return {
      result: 'ok',
      text: 'bill runs can be read; the permission to email shows only when documents are emailed',
    };
  }

  async function postedNotifications(): Promise<Finding> {
    const names = (await client?.postedNotifications({ entityId })) ?? [];
    if (names.length === 0) return { result: 'ok', text: 'Zuora emails no document by itself when it is posted' };
    return {
      result: 'warning',
      text:
        `Zuora emails every document when it is posted, by its notification ${names.join(', ')}; a first send then ` +
        'waits for the cool-down after the post, and customers get an email that this application did not send',
      todo: `Switch off the email of ${names.join(', ')} in Zuora, if bill-run-emails is to send the documents`,
    };
  }

  async function emailNotifications(): Promise<Finding> {
    if (client === undefined) throw new Error('Zuora is not configured');
    const zuora = client;
    const scope = { entityId };
    const kinds = ['invoice', 'creditMemo'] as const;
    const [all, ...definitionsByKind] = await Promise.all([
      zuora.get(PROFILES_PATH, [], profiles, { what: 'communication profiles', scope }),
      ...kinds.map((kind) => {
        const { path, query } = definitionsOf(kind);
        return zuora.get(path, query, definitions, { what: 'notification definitions', scope });
      }),
    ]);
    const faults = kinds.flatMap((kind, at) => {
      const without = all.filter(({ id }) => emailsFor(definitionsByKind[at] ?? [], id) === false);
      const nobody = `${NOTIFICATIONS[kind]} emails nothing for accounts with the communication profile`;
      return without.length === 0 ? [] : [`${nobody} ${named(without)}`];
    });
    const muted = all.filter((profile) => profile.muted === true);
    if (muted.length > 0) faults.push(`communication profiles are muted, so nothing is emailed: ${named(muted)}`);
    const names = Object.values(NOTIFICATIONS).join(' and ');
    if (faults.length === 0) return { result: 'ok', text: `${names} email for all communication profiles` };
    return {
      result: 'warning',
      text: `Zuora says success and sends nothing: ${faults.join('; ')}`,
      todo: `In Zuora, have ${names} email for these profiles and unmute them, if their accounts are to get emails`,
    };
  }

  const checks: readonly CheckToRun[] = [
    { name: 'zuoraConfiguration', run: configuration, explain: explainConfiguration },
    { name: 'zuoraToken', needs: ['zuoraConfiguration'], run: token, explain },
    { name: 'zuoraRead', needs: ['zuoraToken'], run: read, explain },
    {
      name: 'postedNotifications',
      needs: ['zuoraRead'],
      run: postedNotifications,
      worst: 'warning',
      explain: unreadable,
    },
    {
      name: 'emailNotifications',
      needs: ['zuoraRead'],
      run: emailNotifications,
      worst: 'warning',
      explain: settingsUnreadable,
    },
  ];
  return { checks, close: async () => client?.close() };
}

function explainConfiguration(error: unknown): Explanation {
  const text =
    error instanceof Error ? error.message.replace(/:\n\s*/, ': ').replace(/\n\s*/g, '; ') : 'unknown reason';
  return { text, todo: 'Set the ZUORA_* variables as for the worker; docs/configuration.md lists them' };
}

function unreadable(error: unknown): Explanation {
  return {
    text: `the notifications by which Zuora may email at the post cannot be read, so a first send does not wait for such emails: ${explain(error).text}`,
    todo: "Allow the OAuth client's user to read notification definitions, or see to it that Invoice Posted and Credit Memo Posted do not email",
  };
}

const MOST_NAMES = 5;

/** The default profile first, because most accounts have it. */
function named(profiles: readonly Profile[]): string {
  const sorted = [...profiles].sort((one, other) => Number(other.isDefault) - Number(one.isDefault));
  const names = sorted.slice(0, MOST_NAMES).map(({ id, name, isDefault }) => {
    return `${name ?? id}${isDefault === true ? ' (the default)' : ''}`;
  });
  const more = sorted.length - names.length;
  return `${names.join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
}

function settingsUnreadable(error: unknown): Explanation {
  return {
    text: `it is not known whether Zuora emails documents on request, because its settings cannot be read: ${explain(error).text}`,
    todo: "Allow the OAuth client's user to read notification definitions and communication profiles",
  };
}

function explain(error: unknown): Explanation {
  const { text, todo } = zuoraTroubleIn(error) ?? { text: firstLineOf(error), todo: todoOf.unavailable };
  return { text, todo };
}
