/** What holds for any evidence at all. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { documentOutcome, type DocumentEvidence } from '../../zuora/document-outcome.js';

const SINCE = Date.parse('2026-11-28T12:00:00Z');
const HOUR = 3_600_000;

const near = fc.integer({ min: -40 * HOUR, max: 40 * HOUR }).map((after) => SINCE + after);
const written = fc.oneof(
  near.map((at) => new Date(at).toISOString()),
  near.map((at) => new Date(at).toISOString().slice(0, 19)),
  near.map((at) => new Date(at).toISOString().slice(0, 10)),
  near.map(String),
  fc.string({ unit: 'binary' }),
);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constant('for "Jane Doe" <jane@example.com>'),
  fc.emailAddress(),
);
const flags = maybe(fc.boolean());

const evidence: fc.Arbitrary<DocumentEvidence> = fc.record({
  kind: fc.constantFrom('invoice' as const, 'creditMemo' as const),
  status: maybe(fc.oneof({ weight: 3, arbitrary: fc.constant('Posted') }, text)),
  amount: maybe(fc.oneof(fc.double(), fc.constantFrom(0, '0', '0.00'), text)),
  resend: fc.boolean(),
  since: fc.constant(SINCE),
  // Never before the acceptance.
  from: near.map((at) => Math.max(SINCE, at)),
  now: fc.oneof(near, fc.constantFrom(NaN, Infinity)),
  lastEmailed: maybe(written),
  lastEmailedBefore: fc.option(maybe(written), { nil: undefined }),
  missing: fc.boolean(),
  rowBefore: fc.option(
    maybe(fc.record({ at: maybe(written), result: fc.constantFrom('OK', 'Failed'), message: maybe(text) })),
    { nil: undefined },
  ),
  rows: fc.array(
    fc.record({
      at: maybe(written),
      result: fc.oneof(fc.constantFrom('OK', 'Failed', 'Warning'), text),
      message: maybe(text),
    }),
    { maxLength: 4 },
  ),
  history: fc.constantFrom('read', 'notReached', 'denied', 'failed'),
  pdf: maybe(
    fc.record({
      status: fc.oneof(fc.constantFrom('Error', 'Pending', 'Generated'), text),
      message: maybe(text),
      errorBefore: fc.boolean(),
    }),
  ),
  notificationActive: flags,
  notificationInactiveSince: maybe(near),
  notificationWaitMs: fc.constant(HOUR / 4),
  profileMuted: flags,
  emailPreference: flags,
  leavesOutZero: flags,
  noAddressSince: maybe(near),
  droppedBefore: maybe(text),
  failedReads: fc.array(fc.constantFrom('PDF status', 'communication profiles'), { maxLength: 2 }),
});
const options = { numRuns: 3000 };

test('there is an outcome, with a reason that is fit for history and names nobody', () => {
  fc.assert(
    fc.property(evidence, (given) => {
      const { outcome, reason } = documentOutcome(given);
      expect(['sent', 'waiting', 'notSent', 'leftOut', 'unknown']).toContain(outcome);
      expect(reason === null).toBe(outcome === 'sent' || (outcome === 'waiting' && reason === null));
      // eslint-disable-next-line no-control-regex -- none may be left
      expect(reason ?? '').not.toMatch(/@|Jane|[\u0000-\u001f]|\p{Surrogate}/u);
      expect((reason ?? '').length).toBeLessThanOrEqual(161);
    }),
    options,
  );
});

test('not sent has a cause that Zuora shows, or 24 hours in which all was read', () => {
  fc.assert(
    fc.property(evidence, (given) => {
      const { outcome, source } = documentOutcome(given);
      if (outcome !== 'notSent') return;
      const { status, rows, pdf, notificationActive, noAddressSince, now, history, failedReads } = given;
      const causes = {
        document:
          status !== null && status.trim().toLowerCase() !== 'posted' && !(given.lastEmailed !== null && !given.resend),
        emailHistory: rows.some(({ result }) => result.trim().toLowerCase() === 'failed'),
        settings:
          given.droppedBefore !== null || (notificationActive === false && given.notificationInactiveSince !== null),
        pdfStatus: pdf?.status.trim().toLowerCase() === 'error' && pdf.errorBefore,
        contact: noAddressSince !== null,
        time: now - given.from >= 24 * HOUR && history === 'read' && failedReads.length === 0,
      };
      expect(causes[source], source).toBe(true);
    }),
    options,
  );
});

test('left out has a setting, and no email since', () => {
  fc.assert(
    fc.property(evidence, (given) => {
      const { outcome } = documentOutcome(given);
      if (outcome !== 'leftOut') return;
      expect(given.profileMuted === true || given.emailPreference === false || given.leavesOutZero === true).toBe(true);
      expect(
        documentOutcome({ ...given, profileMuted: null, emailPreference: null, leavesOutZero: null }).outcome,
      ).not.toBe('sent');
    }),
    options,
  );
});

test('an email in the history since the send settles the document, unless its date cannot be read', () => {
  const email = { at: new Date(SINCE).toISOString(), result: 'OK', message: null };
  fc.assert(
    fc.property(evidence, (given) => {
      const { outcome, source } = documentOutcome({ ...given, rows: [...given.rows, email] });
      expect(outcome === 'sent' || (outcome === 'unknown' && source === 'document')).toBe(true);
    }),
    options,
  );
});

test('time alone only ends a wait, and does so 24 hours after the last emails', () => {
  fc.assert(
    fc.property(evidence, fc.integer({ min: 0, max: 100 * HOUR }), (given, later) => {
      fc.pre(Number.isFinite(given.now));
      const now = documentOutcome(given);
      const then = documentOutcome({ ...given, now: given.now + later });
      if (now.outcome === 'sent' || now.outcome === 'leftOut') expect(then).toEqual(now);
      if (now.outcome === 'notSent') expect(then.outcome).toBe('notSent');
      if (now.outcome === 'unknown') expect(then.outcome).not.toBe('waiting');
      if (given.now + later - given.from >= 24 * HOUR) expect(then.outcome).not.toBe('waiting');
    }),
    options,
  );
});

test('a read that failed never makes a document sent, left out or not sent', () => {
  fc.assert(
    fc.property(evidence, (given) => {
      const whole = documentOutcome({ ...given, failedReads: [], history: 'read' });
      const failing = documentOutcome({ ...given, failedReads: ['PDF status'], history: 'failed' });
      if (failing.outcome !== whole.outcome) expect([whole.outcome, failing.outcome]).toEqual(['notSent', 'unknown']);
    }),
    options,
  );
});
