import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';
import { createActivities } from '../../activities/index.js';
import { nextCheck } from '../../activities/watch-delivery.js';
import type { CannotRead, DeliveryCheck, DeliveryInput } from '../../workflows/contract/activities.js';
import { creditMemo, definition, invoice, openEmailingZuora, type EmailingTenant } from '../support/emailing-zuora.js';
import { json } from '../support/loopback-zuora.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Far from the worker's clock: nothing may depend on the two being alike. */
const ACCEPTED = Date.UTC(2001, 0, 1);

const INPUT: DeliveryInput = {
  ...{ billRunKey: 'BR-1', billRunNumber: 'BR-1', billRunId: '8ad0', resend: false },
  ...{ since: ACCEPTED, from: ACCEPTED },
};
const UNREADABLE = json(503, { reasons: [{ code: 50000060, message: 'down' }] });
const emailed = (number: string) => invoice(number, { lastEmailSentDate: new Date(ACCEPTED + SECOND).toISOString() });

/** Attempts of the activity at a tenant, each with what the one before kept in its heartbeat. */
async function openWatch(tenant: EmailingTenant, input: Partial<DeliveryInput> = {}) {
  const { zuora, counts } = await openEmailingZuora(tenant);
  const activities = createActivities({ zuora, multiEntity: false });
  let heartbeatDetails: unknown;
  let attempt = 0;
  return {
    reads: () => Object.values(counts()).reduce((sum, count) => sum + count, 0),
    /** The result, or the failure after which it is tried again. */
    at: async (elapsedMs: number): Promise<DeliveryCheck | CannotRead | ApplicationFailure> => {
      attempt += 1;
      const environment = new MockActivityEnvironment(
        { attempt, currentAttemptScheduledTimestampMs: ACCEPTED + elapsedMs, heartbeatDetails },
        { logger: new DefaultLogger('ERROR') },
      );
      environment.on('heartbeat', (details: unknown) => {
        heartbeatDetails = JSON.parse(JSON.stringify(details));
      });
      const run: Promise<DeliveryCheck | CannotRead> = environment.run(
        (given: DeliveryInput) => activities.watchDelivery(given),
        {
          ...INPUT,
          ...input,
        },
      );
      try {
        return await run;
      } catch (error) {
        expect(error).toBeInstanceOf(ApplicationFailure);
        return error as ApplicationFailure;
      }
    },
  };
}

function waits(result: unknown): { type: unknown; delayMs: unknown; benign: boolean } {
  expect(result).toBeInstanceOf(ApplicationFailure);
  const { type, nextRetryDelay, category } = result as ApplicationFailure;
  return { type, delayMs: nextRetryDelay, benign: category === ApplicationFailureCategory.BENIGN };
}

test('The plan: 5, 15, 30 min, 1, 2, 4, 8, 24 h; a shorter interval scales it, except its end', () => {
  const planned = (intervalMs: number): number[] => {
    const checks: number[] = [];
    for (let at = nextCheck(0, intervalMs); at !== null; at = nextCheck(0, intervalMs, at)) checks.push(at);
    return checks;
  };
  expect(planned(5 * MINUTE)).toEqual([5, 15, 30, 60, 120, 240, 480, 1440].map((minutes) => minutes * MINUTE));
  expect(planned(SECOND).slice(0, 5)).toEqual([1, 3, 6, 12, 24].map((seconds) => seconds * SECOND));
  expect(planned(SECOND).at(-1)).toBe(24 * HOUR);
  expect(planned(8 * HOUR)).toEqual([8 * HOUR, 24 * HOUR]);
});

describe('By plan', () => {
  test('nothing is read before the first check, and a check that shows nothing new adds no result', async () => {
    const tenant: EmailingTenant = { invoices: [invoice('INV-1')], pdfs: { 'id-INV-1': { status: 'Pending' } } };
    const first = await openWatch(tenant);
    expect(waits(await first.at(0))).toEqual({ type: 'NothingNew', delayMs: 5 * MINUTE, benign: true });
    expect(first.reads()).toBe(0);
    const check = (await first.at(5 * MINUTE)) as DeliveryCheck;
    expect(check).toMatchObject({
      documents: { complete: true, total: 1, sent: 0, waiting: 1, list: [{ number: 'INV-1', outcome: 'waiting' }] },
      kinds: { invoice: { waiting: 1 }, creditMemo: { waiting: 0 } },
      ...{ at: ACCEPTED + 5 * MINUTE, next: ACCEPTED + 15 * MINUTE },
    });

    const { at, reads } = await openWatch(tenant, { previous: check });
    expect(waits(await at(6 * MINUTE))).toMatchObject({ type: 'NothingNew', delayMs: 9 * MINUTE });
    expect(reads()).toBe(0);
    for (const [minutes, next] of [
      [15, 30],
      [30, 60],
      [60, 120],
      [480, 1440],
    ] as const) {
      expect(waits(await at(minutes * MINUTE))).toMatchObject({ delayMs: (next - minutes) * MINUTE, benign: true });
    }
    tenant.invoices = [emailed('INV-1')];
    expect(await at(24 * HOUR)).toMatchObject({ documents: { sent: 1, waiting: 0, list: [] }, next: null });
  });

  test('the last check is a result in any case, and a late worker checks at once', async () => {
    const { at } = await openWatch({ invoices: [emailed('INV-1')] });
    expect(await at(30 * HOUR)).toMatchObject({ next: null, documents: { sent: 1 } });
  });

  test('what the checks before remembered counts: an inactive notification at each of them', async () => {
    const tenant: EmailingTenant = {
      creditMemos: [creditMemo('CM-1')],
      definitions: [definition({ emailActive: false })],
    };
    const first = (await (await openWatch(tenant)).at(5 * MINUTE)) as DeliveryCheck;
    expect(first.documents).toMatchObject({ waiting: 1, notSent: 0 });
    const { at } = await openWatch(tenant, { previous: first });
    const second = await at(15 * MINUTE);
    expect(second).toMatchObject({ documents: { notSent: 1 }, kinds: { creditMemo: { notSent: 1 } } });
    tenant.definitions = [definition()];
    const third = await openWatch(tenant, { previous: second as DeliveryCheck });
    expect(waits(await third.at(30 * MINUTE)).type, 'its email does not come by itself').toBe('NothingNew');
  });

  test('a person who retries gets a check at once', async () => {
    const { at } = await openWatch({ invoices: [invoice('INV-1')] }, { now: true });
    expect(await at(MINUTE)).toMatchObject({ documents: { waiting: 1 }, next: ACCEPTED + 5 * MINUTE });
  });
});

describe('While Zuora cannot be read', () => {
  test('the job is informed once, and once more when reads work again', async () => {
    const tenant: EmailingTenant = { invoices: [invoice('INV-1')], instead: () => UNREADABLE };
    const failing = await openWatch(tenant);
    const first = waits(await failing.at(5 * MINUTE));
    expect(first).toMatchObject({ type: 'Unavailable', benign: false });
    const unread = await failing.at(6 * MINUTE);
    expect(unread).toEqual({ cannotRead: expect.stringContaining('503') as string, since: ACCEPTED + 5 * MINUTE });

    const { cannotRead } = unread as CannotRead;
    const { at, reads } = await openWatch(tenant, { cannotRead });
    expect(waits(await at(6 * MINUTE)).type).toBe('CannotRead');
    expect(reads()).toBe(0);
    expect(waits(await at(7 * MINUTE)).type).toBe('Unavailable');
    tenant.instead = undefined;
    expect(await at(8 * MINUTE)).toMatchObject({ documents: { waiting: 1 } });
  });

  test('a read that fails once changes nothing', async () => {
    const tenant: EmailingTenant = { invoices: [invoice('INV-1')] };
    const previous = (await (await openWatch(tenant)).at(5 * MINUTE)) as DeliveryCheck;
    const { at } = await openWatch(tenant, { previous });
    await at(6 * MINUTE);
    tenant.instead = () => UNREADABLE;
    expect(waits(await at(15 * MINUTE)).type).toBe('Unavailable');
    tenant.instead = undefined;
    expect(waits(await at(16 * MINUTE))).toMatchObject({ type: 'NothingNew', delayMs: 14 * MINUTE });
  });
});

test('At most 50 documents are listed, those that need a person first', async () => {
  const open = Array.from({ length: 60 }, (_, index) => invoice(`INV-${String(index + 10)}`));
  const { at } = await openWatch({ invoices: [...open, invoice('INV-99', { status: 'Draft' })] });
  const { documents } = (await at(5 * MINUTE)) as DeliveryCheck;
  expect(documents).toMatchObject({ total: 61, waiting: 60, notSent: 1 });
  expect(documents.list).toHaveLength(50);
  expect(documents.list[0]).toMatchObject({ number: 'INV-99', outcome: 'notSent' });
});
