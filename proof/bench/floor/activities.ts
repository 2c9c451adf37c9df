import { Pool } from 'undici';
import { whileAlive } from '../../../activities/alive.js';
import type { WorkerConfiguration } from '../../../worker/configuration.js';

export interface FloorActivities {
  /** @returns the status */
  read(billRunKey: string): Promise<string>;
  email(billRunKey: string): Promise<void>;
  /** The same with heartbeats as ours, without which a lost worker is noticed late. */
  emailWithHeartbeats(billRunKey: string): Promise<void>;
}

/** The same two calls as ours, without error handling. */
export async function createFloorActivities({
  baseUrl,
  connections,
  credentials,
}: WorkerConfiguration['zuora']): Promise<FloorActivities> {
  const pool = new Pool(baseUrl.origin, { connections });
  const { clientId, clientSecret } = await credentials();
  const tokenForm = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret };

  const call = async (method: 'GET' | 'POST', path: string, headers: Record<string, string>, body?: string) => {
    const answer = await pool.request({ method, path, headers, body: body ?? null });
    const json = await answer.body.json();
    if (answer.statusCode !== 200) throw new Error(`${method} ${path}: ${answer.statusCode}`);
    return json;
  };
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const token = await call('POST', '/oauth/token', form, new URLSearchParams(tokenForm).toString());
  const authorization = `Bearer ${(token as { access_token: string }).access_token}`;

  const email = async (key: string): Promise<void> => {
    const headers = { authorization, 'content-type': 'application/json', 'idempotency-key': `bill-run-email/${key}` };
    await call('POST', `/v1/bill-runs/${key}/emails`, headers, JSON.stringify({ resend: false }));
  };

  return {
    async read(key) {
      const path = `/object-query/billing-runs/${key}`;
      return ((await call('GET', path, { authorization, accept: 'application/json' })) as { status: string }).status;
    },
    email,
    emailWithHeartbeats: (key) => whileAlive(() => email(key)),
  };
}
