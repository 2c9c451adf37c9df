import { request } from 'undici';
import { SIMULATOR_CREDENTIALS } from '../simulator/index.js';

export type Control = <Answer>(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: object,
) => Promise<Answer>;

/** The control interface of a simulator. */
export function controlOf(simulatorUrl: string): Control {
  return async <Answer>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<Answer> => {
    const answer = await request(`${simulatorUrl}/simulator${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 400) throw new Error(`${method} /simulator${path}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  };
}

/** Environment variables with which a worker or the command line reaches a simulator. */
export function simulatorEnvironment(simulatorUrl: string) {
  return {
    ZUORA_BASE_URL: simulatorUrl,
    ZUORA_CLIENT_ID: SIMULATOR_CREDENTIALS.clientId,
    ZUORA_CLIENT_SECRET: SIMULATOR_CREDENTIALS.clientSecret,
  };
}

/** Emails per document, of one bill run or all. Advances the simulator's clock by an hour first, so that all have left. */
export async function emailsByDocument(control: Control, billRun?: string): Promise<ReadonlyMap<string, number>> {
  await control('POST', '/clock', { advanceMs: 3_600_000 });
  const mailbox = billRun === undefined ? '/mailbox' : `/mailbox?billRun=${billRun}`;
  const counts = new Map<string, number>();
  for (const { documentNumber } of await control<{ documentNumber: string }[]>('GET', mailbox)) {
    counts.set(documentNumber, (counts.get(documentNumber) ?? 0) + 1);
  }
  return counts;
}
