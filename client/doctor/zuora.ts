import { createZuora, type Zuora } from '../../zuora/client.js';
import { zuoraConfiguration } from '../../zuora/configuration.js';
import type { CheckToRun, Explanation, Finding } from './checkup.js';
import { firstLineOf } from '../failures/errors.js';
import { todoOf, zuoraTroubleIn } from '../failures/zuora.js';

/** The checks of Zuora; `close` ends their connections. */
export function zuoraChecks(entityId: string | undefined, deadlineMs: number) {
  let client: Zuora | undefined;
  let multiEntity = false;
  let call: { readonly clock: number | undefined; readonly from: number; readonly to: number } | undefined;

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
    const from = Date.now();
    const probe = await client?.probe({ entityId });
    call = { clock: probe?.clock, from, to: Date.now() };
    return {
      result: 'ok',
      text: 'bill runs can be read; the permission to email shows only when documents are emailed',
    };
  }

  function clock(): Finding {
    if (call?.clock === undefined) return { result: 'warning', text: "Zuora's answer has no time" };
    return clockFinding(aheadOfAnswer(call.clock, call));
  }

  const checks: readonly CheckToRun[] = [
    { name: 'zuoraConfiguration', run: configuration, explain: explainConfiguration },
    { name: 'zuoraToken', needs: ['zuoraConfiguration'], run: token, explain },
    { name: 'zuoraRead', needs: ['zuoraToken'], run: read, explain },
    { name: 'zuoraClock', needs: ['zuoraRead'], run: clock, explain },
  ];
  return { checks, close: async () => client?.close() };
}

/**
 * The least by which this machine's clock is ahead, in ms; negative: behind.
 *
 * @param date of the answer (epoch ms, a whole second) to a call that lasted from `from` to `to` by our clock
 */
export function aheadOfAnswer(date: number, { from, to }: { readonly from: number; readonly to: number }): number {
  return from >= date + 1000 ? from - (date + 1000) : Math.min(to - date, 0);
}

/** The largest difference that is not reported. A clock that is off by a minute is not synchronized, and drifts further. */
const TOLERANCE_MS = 60_000;

export function clockFinding(aheadMs: number): Finding {
  if (Math.abs(aheadMs) <= TOLERANCE_MS) return { result: 'ok', text: "this machine's clock and Zuora's agree" };
  const far = `${Math.round(Math.abs(aheadMs) / 60_000)} min`;
  return {
    result: 'warning',
    text: `this machine's clock is about ${far} ${aheadMs > 0 ? 'ahead of' : 'behind'} Zuora's`,
    todo: 'Synchronize the clocks of this machine and of the workers, by NTP for instance: they decide how old a key is',
  };
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
