/** Rule 9: what a job says about its documents is what Zuora did, document by document. Pure. */
import type { DocumentOutcome, SendRecord } from '../../workflows/contract/contract.js';
import type { BillRunEvidence, RunEvidence } from './evidence.js';
import { SLACK_MS } from '../send-rules.js';

/** Documents by what a job says about them. */
export type Compared = Readonly<Record<'total' | DocumentOutcome, number>>;

export const NONE_COMPARED: Compared = { total: 0, sent: 0, waiting: 0, notSent: 0, leftOut: 0, unknown: 0 };

interface Fault {
  readonly what: string;
  readonly evidence: object;
}

/** Zuora has sent all that it will ever send. A job that has closed knew only what was there at its last check. */
export function documentFaults(
  run: Pick<RunEvidence, 'open' | 'closedByPerson' | 'status' | 'sends'>,
  { documents, emails }: Pick<BillRunEvidence, 'documents' | 'emails'>,
): { readonly compared: Compared; readonly faults: readonly Fault[] } {
  const send = followed(run);
  if (send === undefined || run.closedByPerson) return { compared: NONE_COMPARED, faults: [] };
  const claims = run.status?.documents ?? null;
  if (claims === null) {
    const faults = run.open ? [{ what: 'no check of the documents of an accepted send', evidence: {} }] : [];
    return { compared: NONE_COMPARED, faults };
  }
  const keys = send === 'others' ? [] : send.attempts.map(({ idempotencyKey }) => idempotencyKey);
  const isResend = send !== 'others' && send.resend;
  const counts: Record<keyof Compared, number> = { ...NONE_COMPARED, total: documents.length };
  const faults = documents.flatMap(({ number, unsent }): Fault[] => {
    const listed = claims.list.find((document) => document.number === number);
    const outcome = listed?.outcome ?? 'sent';
    counts[outcome] += 1;
    // Any email counts for a first send.
    const own = emails.filter(
      ({ documentNumber, idempotencyKey }) =>
        documentNumber === number && (!isResend || keys.includes(idempotencyKey ?? '')),
    );
    // A check sees what leaves while it reads.
    const seenUntil = Date.parse(claims.checkedAt) + (outcome === 'sent' ? SLACK_MS : 0);
    const isEmailed = own.some(({ sentAt }) => run.open || Date.parse(sentAt) <= seenUntil);
    const fault = faultOf(outcome, {
      isEmailed,
      mayFail: unsent === 'failed',
      mayWait: !run.open || send === 'others' || unsent === 'never',
      // The email history shows times without a zone.
      mayBeUnknown: isResend,
    });
    return fault === undefined ? [] : [{ what: fault, evidence: { number, unsent, listed, keys, emails: own } }];
  });
  const differing = Object.entries(counts).filter(([name, count]) => claims[name as keyof Compared] !== count);
  if (differing.length > 0 || !claims.complete) {
    faults.push({ what: "a job's counts of documents are not those of its list", evidence: { claims, counts } });
  }
  return { compared: counts, faults };
}

/** The send whose documents a job follows, if that is certain; `others` if somebody else should send them. */
function followed({ status, sends }: Pick<RunEvidence, 'status' | 'sends'>): SendRecord | 'others' | undefined {
  // A question shows the documents of its own send.
  const isInQuestion = sends.some(
    ({ settledAt, attempts }) => settledAt === null && attempts.some(({ verdict }) => verdict === 'unknown'),
  );
  if (isInQuestion) return undefined;
  const accepted = sends.filter(({ outcome }) => outcome === 'accepted');
  const last = accepted.toSorted((one, other) => ((one.settledAt ?? '') < (other.settledAt ?? '') ? -1 : 1)).at(-1);
  return last ?? (status?.reason === 'autoEmail' ? 'others' : undefined);
}

function faultOf(
  outcome: DocumentOutcome,
  may: {
    readonly isEmailed: boolean;
    readonly mayFail: boolean;
    readonly mayWait: boolean;
    readonly mayBeUnknown: boolean;
  },
): string | undefined {
  switch (outcome) {
    case 'sent':
      return may.isEmailed ? undefined : 'a document is called sent, and the mailbox has no email of it';
    case 'notSent':
      if (may.isEmailed) return 'a document is called notSent, and the mailbox has an email of it';
      return may.mayFail ? undefined : 'a document is called notSent, and no email of it failed';
    case 'waiting':
      if (may.isEmailed) return 'a document is called waiting, and the mailbox has an email of it';
      return may.mayWait ? undefined : 'a document is called waiting, and no email of it is to come';
    case 'unknown':
      return may.mayBeUnknown ? undefined : 'a document is called unknown, and Zuora shows what became of it';
    case 'leftOut':
      return 'a document is called leftOut, and no setting leaves it out';
  }
}
