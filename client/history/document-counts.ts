import type { DocumentOutcome, JobDocuments } from '../../workflows/contract/contract.js';

/** What is not sent. */
const WORDS = { waiting: 'waiting', notSent: 'not sent', leftOut: 'left out', unknown: 'unknown' } as const;

/** Such as "9 of 12 sent, 3 not sent". */
export function countsInWords(counts: Pick<JobDocuments, DocumentOutcome | 'total' | 'complete'>): string {
  const others = (Object.keys(WORDS) as (keyof typeof WORDS)[])
    .filter((outcome) => counts[outcome] > 0)
    .map((outcome) => `${counts[outcome]} ${WORDS[outcome]}`);
  const gap = counts.complete ? [] : ['and Zuora did not list all'];
  return [`${counts.sent} of ${counts.total} sent`, ...others, ...gap].join(', ');
}
