import { createZuora, type Probe, type Zuora } from '../../zuora/client.js';
import { zuoraConfiguration } from '../../zuora/configuration.js';
import { Checkup, NOTHING, type Check, type Done } from './checkup.js';
import { aheadOfAnswer, clockFinding } from './clocks.js';
import { firstLineOf } from '../failures/errors.js';
import { zuoraTroubleIn } from '../failures/zuora.js';

export async function zuoraChecks({
  env,
  entityId,
  deadlineMs,
}: {
  readonly env: NodeJS.ProcessEnv;
  readonly entityId: string | undefined;
  readonly deadlineMs: number;
}): Promise<readonly Check[]> {
  const checkup = new Checkup(deadlineMs);
  const configured = await checkup.check('zuoraConfiguration', NOTHING, explainConfiguration, () => {
    const configuration = zuoraConfiguration(env);
    const { zuora, multiEntity } = configuration;
    const text = `${zuora.baseUrl.origin}, with a client id and a secret, ${multiEntity ? 'with' : 'without'} Multi-entity`;
    return entityId !== undefined && !multiEntity
      ? {
          result: 'error',
          text: 'an entity was given, but ZUORA_MULTI_ENTITY does not say that the tenant has Multi-entity',
          todo: 'Leave --entity out, or set ZUORA_MULTI_ENTITY=true, for the worker as well',
        }
      : { result: 'ok', text, found: configuration };
  });
  if ('lacks' in configured) {
    await ask(checkup, configured, false);
  } else {
    const { zuora: settings, multiEntity } = configured.found;
    const zuora = createZuora({ ...settings, readDeadlineMs: deadlineMs });
    try {
      await ask(checkup, { found: zuora }, multiEntity, entityId);
    } finally {
      await zuora.close();
    }
  }
  return checkup.checks;
}

async function ask(checkup: Checkup, configured: Done<Zuora>, multiEntity: boolean, entityId?: string): Promise<void> {
  const authenticated = await checkup.check('zuoraToken', configured, explain, async (zuora) => {
    await zuora.authenticate();
    return { result: 'ok', text: 'Zuora gave a token for the client id and the secret', found: zuora };
  });
  const read = await checkup.check('zuoraRead', authenticated, explain, async (zuora) => {
    if (multiEntity && entityId === undefined) {
      return {
        result: 'skipped',
        text: 'not checked, for the tenant has Multi-entity and no entity was named',
        todo: 'Name one: doctor --entity ID',
      };
    }
    const from = Date.now();
    const probe = await zuora.probe({ entityId });
    const text = 'bill runs can be read; whether documents may be emailed shows when they are';
    return { result: 'ok', text, found: { ...probe, from, to: Date.now() } };
  });
  await checkup.check('zuoraClock', read, explain, clockOf);
}

function explainConfiguration(error: unknown): { text: string; todo: string } {
  const text =
    error instanceof Error ? error.message.replace(/:\n\s*/, ': ').replace(/\n\s*/g, '; ') : 'unknown reason';
  return { text, todo: 'Set the ZUORA_* variables as they are set for the worker; the README lists them' };
}

function explain(error: unknown): { text: string; todo: string } {
  return (
    zuoraTroubleIn(error) ?? {
      text: firstLineOf(error),
      todo: 'Check ZUORA_BASE_URL and the network in between, or try again in a moment',
    }
  );
}

function clockOf({ clock, ...call }: Probe & { readonly from: number; readonly to: number }) {
  if (clock === undefined) {
    const todo = 'See that this machine and those of the workers keep time, by NTP for instance';
    return { result: 'warning', text: "Zuora's answer does not tell the time", todo, found: undefined } as const;
  }
  return clockFinding(aheadOfAnswer(clock, call), "Zuora's", "this machine's clock and Zuora's agree");
}
