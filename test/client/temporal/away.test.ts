/** A Temporal that does not answer, as the command line and the library meet it. */
import type { Client } from '@temporalio/client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { tryEach, type Tried } from '../../../client/many.js';
import { BillRunEmails, BillRunEmailsError, type KnownStatus, type SendRecord } from '../../../client/index.js';

const away = new BillRunEmailsError('TemporalUnavailable', 'away');

test('many bill runs are given up when one after the other gets no answer, and each of them is reported', async () => {
  const items = Array.from({ length: 500 }, (_, index) => index);
  const called: number[] = [];
  const results: { readonly item: number; readonly tried: Tried<unknown> }[] = [];
  const ask = (item: number): Promise<never> => {
    called.push(item);
    return Promise.reject(away);
  };
  for await (const each of tryEach(items, ask)) results.push(each);
  expect(called.length).toBeLessThan(60);
  expect(results.map(({ item }) => item)).toEqual(items);
  expect(results.at(-1)?.tried).toMatchObject({ ok: false, error: { type: 'TemporalUnavailable' } });
});

test('some that get no answer do not keep the others from it', async () => {
  const items = Array.from({ length: 100 }, (_, index) => index);
  const ask = (item: number) => (item % 5 === 0 ? Promise.resolve() : Promise.reject(away));
  let done = 0;
  for await (const { tried } of tryEach(items, ask)) done += tried.ok ? 1 : 0;
  expect(done).toBe(20);
});

test('a call that the server cancels at its deadline is a Temporal that is away', async () => {
  const cancelled = Object.assign(new Error('1 CANCELLED: Call cancelled'), {
    ...{ code: 1, details: 'Call cancelled', metadata: {} },
  });
  const client = { withDeadline: () => Promise.reject(cancelled) } as unknown as Client;
  await expect(new BillRunEmails(client).status({ billRunKey: 'BR-1' })).rejects.toMatchObject({
    type: 'TemporalUnavailable',
    message: expect.stringContaining('Call cancelled') as string,
  });
});

describe('Waiting for a resend', () => {
  const request = { workflowId: 'email-bill-run/BR-1', runId: 'r', requestId: 'T-1' };
  const emails = new BillRunEmails({} as unknown as Client);
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test('goes on while Temporal is away', async () => {
    const status = { state: 'Sending', text: 'Sending.', ignored: { count: 0, last: [] } } as unknown as KnownStatus;
    vi.spyOn(emails, 'status').mockRejectedValueOnce(away).mockResolvedValue(status);
    const requests = [{ requestId: 'T-1', resend: true }];
    const sends = [{ ordinal: 1, requests, outcome: 'accepted', attempts: [] }] as unknown as SendRecord[];
    vi.spyOn(emails, 'sends').mockRejectedValueOnce(away).mockResolvedValueOnce([]).mockResolvedValue(sends);
    expect(await emails.resendOutcome(request)).toMatchObject({ result: 'emailed', send: { ordinal: 1 } });
    expect(await emails.resendOutcome({ ...request, requestId: 'T-2' }, 0)).toMatchObject({ result: 'waiting' });
  });

  test('fails if there was no answer at all in that time, and at once for another failure', async () => {
    vi.spyOn(emails, 'status').mockRejectedValue(away);
    await expect(emails.resendOutcome(request, 600)).rejects.toThrow('away');
    vi.spyOn(emails, 'status').mockRejectedValue(new BillRunEmailsError('NotFound', 'gone'));
    await expect(emails.resendOutcome(request)).rejects.toThrow('gone');
  });
});
