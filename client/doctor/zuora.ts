import { createZuora, type Zuora } from '../../zuora/client.js';
import { zuoraConfiguration } from '../../zuora/configuration.js';
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
    const text = `${settings.zuora.baseUrl.origin}, with client id and secret, ${multiEntity ? 'with' : 'without'} Multi-entity`;
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

  const checks: readonly CheckToRun[] = [
    { name: 'zuoraConfiguration', run: configuration, explain: explainConfiguration },
    { name: 'zuoraToken', needs: ['zuoraConfiguration'], run: token, explain },
    { name: 'zuoraRead', needs: ['zuoraToken'], run: read, explain },
  ];
  return { checks, close: async () => client?.close() };
}

function explainConfiguration(error: unknown): Explanation {
  const text =
    error instanceof Error ? error.message.replace(/:\n\s*/, ': ').replace(/\n\s*/g, '; ') : 'unknown reason';
  return { text, todo: 'Set the ZUORA_* variables as for the worker; the README lists them' };
}

function explain(error: unknown): Explanation {
  const { text, todo } = zuoraTroubleIn(error) ?? { text: firstLineOf(error), todo: todoOf.unavailable };
  return { text, todo };
}
