/** A Temporal that does not answer, as the command line and the library meet it. */
import type { Client } from '@temporalio/client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { tryEach, type Tried } from '../../../client/many.js';
import { BillRunEmails, BillRunEmailsError, type SendRecord } from '../../../client/index.js';
import type { LastJob } from '../../../client/last-job.js';
import { resendOutcome } from '../../../client/resend-outcome.js';

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

test('the error of a resend names its request, so that it can be repeated', async () => {
  const client = { withDeadline: () => Promise.reject(away) } as unknown as Client;
  const message = { requestId: 'T-1', requestedBy: 'alice', reason: 'wrong template' };
  await expect(new BillRunEmails(client).resend({ billRunKey: 'BR-1' }, message)).rejects.toMatchObject({
    message: expect.stringMatching(/; request T-1 may have been taken: repeat it/) as string,
  });
});

describe('Waiting for a resend', () => {
  const request = { workflowId: 'email-bill-run/BR-1', requestId: 'T-1' };
  const job = {
    isOpen: true,
    isChanging: false,
    state: 'Sending',
    billRunNumber: 'BR-1',
    resends: [],
  } as unknown as LastJob;
  const jobs = {
    last: vi.fn(() => Promise.resolve(job)),
    status: vi.fn(() => Promise.resolve({ text: 'Sending.' })),
    sends: vi.fn(() => Promise.resolve<readonly SendRecord[]>([])),
  };
  afterEach(() => {
    vi.resetAllMocks();
  });

  test('goes on while Temporal is away, and needs no worker', async () => {
    jobs.last
      .mockRejectedValueOnce(away)
      .mockResolvedValueOnce(job)
      .mockResolvedValue({ ...job, resends: ['T-1'] });
    jobs.sends.mockRejectedValue(away);
    expect(await resendOutcome(jobs, request, 60_000)).toEqual({
      result: 'emailed',
      send: null,
      text: 'Zuora accepted the send.',
    });
    jobs.last.mockResolvedValue(job);
    jobs.status.mockRejectedValue(away);
    expect(await resendOutcome(jobs, request, 0)).toMatchObject({
      result: 'waiting',
      text: 'No worker answers at the moment.',
    });
  });

  test('ends where a person is asked, but not before the job has taken its messages', async () => {
    const asks = { ...job, state: 'NeedsAttention' } as const;
    jobs.last.mockResolvedValueOnce({ ...asks, isChanging: true }).mockResolvedValue(asks);
    jobs.status.mockResolvedValue({ text: 'Zuora refused.' });
    jobs.sends.mockResolvedValue([]);
    expect(await resendOutcome(jobs, request, 60_000)).toMatchObject({ result: 'needsPerson', text: 'Zuora refused.' });
    expect(jobs.last).toHaveBeenCalledTimes(2);
  });

  test('fails if there was no answer at all in that time, and at once for another failure', async () => {
    jobs.last.mockRejectedValue(away);
    await expect(resendOutcome(jobs, request, 600)).rejects.toThrow('away');
    jobs.last.mockRejectedValue(new BillRunEmailsError('NotFound', 'gone'));
    await expect(resendOutcome(jobs, request, 60_000)).rejects.toThrow('gone');
  });
});
