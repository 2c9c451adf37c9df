/** Over a limit of Zuora's: 429 slows all calls of a worker down, and ends with the first answer that is another. */
import { expect, test } from 'vitest';
import { IDS, inTurn, json, neverLeft, openLoopbackZuora, openZuora, stall } from '../support/loopback-zuora.js';

const LIMIT = json(429, { success: false, reasons: [{ code: 50000070, message: 'limit' }] });
const BILL_RUN = json(200, { id: '8ad0', billingRunNumber: 'BR-00000001', status: 'Posted' });

test('After a 429, a hundred calls at once are one call a second, and all go with the first that is answered', async () => {
  const { baseUrl, calls, arrived } = await openLoopbackZuora({ call: inTurn(LIMIT, LIMIT, LIMIT, BILL_RUN) });
  const zuora = openZuora(baseUrl, { connections: 40 });
  await expect(zuora.getBillRun('BR-00000001')).rejects.toThrow('429');

  const reads = Array.from({ length: 100 }, () => zuora.getBillRun('BR-00000001').catch(String));
  await arrived(3);
  // One at a time: the next one waits for its pause.
  expect(calls).toHaveLength(3);
  const results = await Promise.all(reads);
  expect(results.filter((each) => typeof each === 'string')).toHaveLength(2);
  expect(calls).toHaveLength(101);
});

test('Sends and tokens are slowed down as reads are, and take the wait off their deadline', async () => {
  const { baseUrl, calls } = await openLoopbackZuora({ call: inTurn(LIMIT, json(200, { success: true })) });
  const zuora = openZuora(baseUrl);
  await expect(zuora.getBillRun('BR-00000001')).rejects.toThrow('429');

  const send = (deadlineMs: number) => zuora.emailBillRunDocuments('BR-1', { resend: false }, IDS, { deadlineMs });
  expect(await neverLeft(send(500))).toMatchObject({ code: 'RATE_LIMITED' });
  expect(calls).toHaveLength(1);
  expect(await send(60_000)).toMatchObject({ verdict: 'accepted' });
});

test('A call that hangs after a 429 does not keep the others from trying', async () => {
  const { baseUrl, arrived } = await openLoopbackZuora({ call: inTurn(LIMIT, stall, BILL_RUN) });
  const zuora = openZuora(baseUrl);
  await expect(zuora.getBillRun('BR-00000001')).rejects.toThrow('429');
  void zuora.getBillRun('BR-00000001').catch(String);
  await arrived(2);
  await expect(zuora.getBillRun('BR-00000001')).resolves.toMatchObject({ status: 'Posted' });
});

test('Each call is reported by operation and status, with the rest of the limits', async () => {
  const headers = {
    'ratelimit-remaining': '49999',
    'concurrency-limit-type': 'Object-Query',
    'concurrency-limit-remaining': '79',
  };
  const { baseUrl } = await openLoopbackZuora({
    call: inTurn(json(200, { id: '8ad0', billingRunNumber: 'BR-1', status: 'Posted' }, headers), json(500, {})),
  });
  const reported: object[] = [];
  const zuora = openZuora(baseUrl, { onCall: ({ durationMs, ...call }) => reported.push(call) });
  await zuora.getBillRun('BR-1');
  await zuora.emailBillRunDocuments('BR-1', { resend: false }, IDS, { deadlineMs: 60_000 });
  expect(reported).toEqual([
    { method: 'POST', endpoint: '/oauth/token', status: '200' },
    {
      ...{ method: 'GET', endpoint: '/object-query/billing-runs/{key}', status: '200' },
      rateLimitRemaining: 49999,
      concurrencyRemaining: { type: 'Object-Query', remaining: 79 },
    },
    { method: 'POST', endpoint: '/v1/bill-runs/{billRunKey}/emails', status: '500' },
  ]);
});
