/** A Temporal that does not answer, as the command line and the library meet it. */
import { NamespaceNotFoundError, type Client } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { tryEach, type Tried } from '../../../client/many.js';
import {
  BillRunEmails,
  BillRunEmailsError,
  type JobDocuments,
  type JobRequest,
  type SendRecord,
  type SettleOptions,
} from '../../../client/index.js';
import { temporalFailure } from '../../../client/failures/temporal.js';
import type { LastJob } from '../../../client/last-job.js';
import { settled, type Jobs } from '../../../client/settled.js';
import { settledMany } from '../../../client/settled-many.js';
import type { KnownWorkflow } from '../../../client/temporal/jobs.js';

/** As the library throws what Temporal's service answered. */
const answered = (code: number, details: string): BillRunEmailsError => {
  const error = Object.assign(new Error(details), { code, details, metadata: {} });
  return temporalFailure(error, 'email-bill-run/BR-1') as BillRunEmailsError;
};
const lasting = [
  ['a namespace', temporalFailure(new NamespaceNotFoundError('wrong'), 'email-bill-run/BR-1') as BillRunEmailsError],
  ['a permission', answered(7, 'not allowed')],
  ['a valid key', answered(16, 'unauthorized')],
  ['a search attribute', answered(3, 'invalid search attribute: BillRunId')],
] as const;
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

describe('Waiting', () => {
  const request: JobRequest = { workflowId: 'email-bill-run/BR-1' };
  const job = {
    ...{ workflowId: 'email-bill-run/BR-1', runId: 'run-1', billRunNumber: 'BR-1', historyLength: 1 },
    ...{ isOpen: true, isChanging: false, state: 'Sending', reason: null, paused: [], sends: 0, resends: [] },
    documentsNotSent: null,
  } as unknown as LastJob;
  const accepted: LastJob = { ...job, state: 'Delivering', sends: 1 };
  const notSent: LastJob = { ...accepted, reason: 'notSent', documentsNotSent: 1 };
  const status: Awaited<ReturnType<Jobs<JobRequest>['status']>> = {
    ...{ text: 'Sending.', reason: null, question: null, documents: null, pendingRequests: [] },
  };
  const jobs = {
    idOf: vi.fn((name: JobRequest) => Promise.resolve('workflowId' in name ? name.workflowId : '')),
    last: vi.fn(() => Promise.resolve(job)),
    status: vi.fn(() => Promise.resolve(status)),
    sends: vi.fn(() => Promise.resolve<readonly SendRecord[]>([])),
  };
  const news = vi.fn(() => Promise.resolve());
  const one = (options: SettleOptions, what: object = {}) => settled(jobs, { ...request, ...what }, news, options);
  const documents = (waiting: number): JobDocuments => ({
    ...{ checkedAt: '2026-03-02T12:00:00.000Z', complete: true, total: 2 },
    ...{ sent: 1 - waiting, waiting, notSent: 1, leftOut: 0, unknown: 0 },
    list: [{ number: 'INV-1', kind: 'invoice', outcome: 'notSent', reason: 'no address' }],
  });
  afterEach(() => {
    vi.resetAllMocks();
  });

  test('goes on while Temporal is away, and needs no worker', async () => {
    jobs.last.mockRejectedValueOnce(away).mockResolvedValueOnce(job).mockResolvedValue(accepted);
    jobs.status.mockRejectedValue(away);
    expect(await one({})).toEqual({
      ...{
        workflowId: 'email-bill-run/BR-1',
        runId: 'run-1',
        outcome: 'accepted',
        text: 'Zuora accepted the request.',
      },
      ...{ state: 'Delivering', reason: null, sends: 1, documentsNotSent: null },
    });
    expect(jobs.status).not.toHaveBeenCalled();
    jobs.last.mockResolvedValue(job);
    expect(await one({ longestMs: 0 })).toMatchObject({
      outcome: 'waiting',
      text: expect.stringContaining('Sending') as string,
    });
  });

  test('ends where a person is asked, but not before the job has taken its messages', async () => {
    const asks = { ...job, state: 'NeedsAttention' } as const;
    jobs.last.mockResolvedValueOnce({ ...asks, isChanging: true }).mockResolvedValue(asks);
    jobs.status.mockResolvedValue({ ...status, text: 'Zuora refused.' });
    expect(await one({})).toMatchObject({ outcome: 'needsPerson', text: 'Zuora refused.' });
    expect(jobs.last).toHaveBeenCalledTimes(2);
  });

  test('fails if there was no answer at all in that time, and at once for another failure', async () => {
    jobs.last.mockRejectedValue(away);
    await expect(one({ longestMs: 600 })).rejects.toThrow('away');
    jobs.last.mockRejectedValue(new BillRunEmailsError('NotFound', 'gone'));
    await expect(one({})).rejects.toThrow('gone');
  });

  test.each(lasting)('ends at once without %s, which stays so', async (_, error) => {
    expect(error.type).toBe('TemporalUnavailable');
    jobs.last.mockRejectedValue(error);
    await expect(one({})).rejects.toBe(error);
    expect(jobs.last).toHaveBeenCalledTimes(1);
  });

  test('goes on after a deadline, and where Temporal cannot be reached', async () => {
    jobs.last.mockRejectedValueOnce(answered(4, 'deadline')).mockRejectedValueOnce(answered(14, 'refused'));
    jobs.last.mockResolvedValue(accepted);
    expect(await one({})).toMatchObject({ outcome: 'accepted' });
  });

  test('refuses options that say nothing, as plain JavaScript can give them', async () => {
    for (const longestMs of ['2h', NaN, null] as unknown[] as number[]) {
      await expect(one({ longestMs })).rejects.toMatchObject({
        ...{ type: 'InvalidInput', message: expect.stringContaining('a number of milliseconds, such as') as string },
      });
    }
    await expect(one({ until: 'emaild' as 'emailed' })).rejects.toMatchObject({
      ...{ type: 'InvalidInput', message: "invalid until: give 'accepted' or 'emailed'" },
    });
    expect(jobs.last).not.toHaveBeenCalled();
  });

  test('a job that is paused needs a person at once, and is not asked', async () => {
    const pause = { what: 'job', by: 'ann', at: null, reason: null } as const;
    jobs.last.mockResolvedValue({ ...notSent, status: 'PAUSED', paused: [pause] });
    const found = { outcome: 'needsPerson', text: 'The job is paused in Temporal; status says by whom.' };
    expect(await one({}, { retry: true })).toMatchObject(found);
    expect(await one({ until: 'emailed' })).toMatchObject(found);
    expect(jobs.status).not.toHaveBeenCalled();
  });

  test('asks whether documents are on their way once for each change, and not after the time', async () => {
    const until = 'emailed';
    jobs.last
      .mockResolvedValueOnce(notSent)
      .mockResolvedValueOnce(notSent)
      .mockResolvedValue({ ...notSent, historyLength: 2 });
    jobs.status
      .mockResolvedValueOnce({ ...status, documents: documents(1) })
      .mockResolvedValue({ ...status, documents: documents(0) });
    const { list } = documents(0);
    expect(await one({ until })).toMatchObject({ outcome: 'notSent', documents: list });
    // Once for each change, and for the words.
    expect(jobs.status).toHaveBeenCalledTimes(3);
    jobs.status.mockRejectedValue(away);
    expect(await one({ until, longestMs: 0 })).toMatchObject({ outcome: 'notSent', text: '1 document was not sent.' });
  });

  test('takes no answer of the job for one about another moment', async () => {
    const goal = { retry: true };
    const sent: LastJob = { ...accepted, sends: 2, historyLength: 3 };
    // The send was accepted between the two.
    jobs.last.mockResolvedValueOnce({ ...notSent, historyLength: 2 }).mockResolvedValue(sent);
    expect(await one({}, goal)).toMatchObject({ outcome: 'accepted', sends: 2 });
  });

  test('does not spin when there is news all the time', async () => {
    await one({ longestMs: 500 });
    expect(jobs.last.mock.calls.length).toBeLessThan(10);
  });

  test('a handover leads to the job of the number', async () => {
    const alias = { ...job, isOpen: false, state: 'HandedOver', status: 'COMPLETED' } as LastJob;
    jobs.idOf.mockResolvedValue('email-bill-run/tenant/8ad0');
    jobs.last.mockResolvedValueOnce(alias).mockResolvedValue(accepted);
    expect(await one({})).toMatchObject({ outcome: 'accepted' });
    expect(jobs.last).toHaveBeenLastCalledWith('email-bill-run/tenant/BR-1');
  });
});

describe('Waiting for many', () => {
  const jobOf = (workflowId: string, more: object = {}) =>
    ({
      ...{ workflowId, runId: 'run-1', status: 'RUNNING', billRunNumber: 'BR-1', historyLength: 1 },
      ...{ isOpen: true, isChanging: false, state: 'Sending', reason: null, paused: [], sends: 0, resends: [] },
      ...{ documentsNotSent: null, ...more },
    }) as unknown as LastJob;
  const ids: readonly { readonly workflowId: string; readonly resend?: string }[] = Array.from(
    { length: 10_000 },
    (_, at) => ({ workflowId: `email-bill-run/BR-${at}` }),
  );
  /** As a list shows it. */
  const listed = (workflowId: string) =>
    ({
      workflowId,
      runId: 'run-1',
      status: 'RUNNING',
      attributes: new TypedSearchAttributes([]),
    }) as unknown as KnownWorkflow;

  test('looks at what the list shows as changed, and at the others in turn', async () => {
    let looks = 0;
    const emailed = new Set<string>();
    const last = vi.fn((id: string) => {
      looks += 1;
      return Promise.resolve(jobOf(id, emailed.has(id) ? { state: 'Delivering', sends: 1 } : {}));
    });
    const late = ids.at(-1)?.workflowId ?? '';
    const changes = vi.fn(() => {
      // Half of them have settled. Of these the list lacks one.
      for (const { workflowId } of ids.slice(5_000)) emailed.add(workflowId);
      return Promise.resolve([...emailed].filter((id) => id !== late).map(listed));
    });
    const jobs = {
      idOf: (request: JobRequest) => Promise.resolve('workflowId' in request ? request.workflowId : ''),
      ...{ last, status: vi.fn(), sends: vi.fn() },
    };
    const found = new Set<string>();
    for await (const { request, ...each } of settledMany(jobs, ids, changes, {})) {
      expect(each).toMatchObject({ ok: true, value: { outcome: 'accepted' } });
      found.add(request.workflowId);
      if (found.size === 4_999) break;
    }
    expect([...found].every((id) => emailed.has(id))).toBe(true);
    // All of them once, those that have settled, and 25 for each list.
    expect(looks).toBeLessThanOrEqual(10_000 + 5_000 + 25 * changes.mock.calls.length);
    expect(jobs.status).not.toHaveBeenCalled();
  });

  test('one that fails, and a Temporal that is away, do not stop the others', async () => {
    let failures = 40;
    const last = vi.fn((id: string) => {
      if (id === 'email-bill-run/BR-3') return Promise.reject(new BillRunEmailsError('NotFound', 'gone'));
      if (failures > 0) {
        failures -= 1;
        return Promise.reject(away);
      }
      return Promise.resolve(jobOf(id, { state: 'Delivering', sends: 1 }));
    });
    const jobs = {
      idOf: (request: JobRequest) => Promise.resolve('workflowId' in request ? request.workflowId : ''),
      ...{ last, status: vi.fn(), sends: vi.fn() },
    };
    const found = [];
    const changes = () => Promise.reject(away);
    for await (const each of settledMany(jobs, ids.slice(0, 60), changes, {})) found.push(each);
    expect(found).toHaveLength(60);
    expect(found.filter(({ ok }) => !ok)).toMatchObject([
      { request: { workflowId: 'email-bill-run/BR-3' }, error: { type: 'NotFound' } },
    ]);
  });

  test.each(lasting)('each of them is reported at once without %s', async (_, error) => {
    const last = vi.fn(() => Promise.reject(error));
    const jobs = {
      idOf: (request: JobRequest) => Promise.resolve('workflowId' in request ? request.workflowId : ''),
      ...{ last, status: vi.fn(), sends: vi.fn() },
    };
    const found = [];
    for await (const each of settledMany(jobs, ids.slice(0, 60), () => Promise.resolve([]), {})) found.push(each);
    expect(found.map((each) => !each.ok && each.error.message)).toEqual(Array(60).fill(error.message));
    expect(last).toHaveBeenCalledTimes(60);
  });

  test('refuses options that say nothing', async () => {
    const jobs = { idOf: vi.fn(), last: vi.fn(), status: vi.fn(), sends: vi.fn() };
    const options = [{ longestMs: '2h' }, { until: 'emaild' }] as unknown[] as SettleOptions[];
    for (const each of options) {
      const settling = settledMany(jobs, ids.slice(0, 1), () => Promise.resolve([]), each);
      await expect(settling.next()).rejects.toMatchObject({ type: 'InvalidInput' });
    }
    expect(jobs.idOf).not.toHaveBeenCalled();
  });

  test('each of them is reported as unavailable if Temporal never answered', async () => {
    const jobs = {
      idOf: (request: JobRequest) => Promise.resolve('workflowId' in request ? request.workflowId : ''),
      ...{ last: vi.fn(() => Promise.reject(away)), status: vi.fn(), sends: vi.fn() },
    };
    const found = [];
    for await (const each of settledMany(jobs, ids.slice(0, 60), () => Promise.resolve([]), { longestMs: 0 })) {
      found.push(each);
    }
    expect(found).toHaveLength(60);
    expect(new Set(found.map((each) => !each.ok && each.error.type))).toEqual(new Set(['TemporalUnavailable']));
  });
});
