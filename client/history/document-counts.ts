import type { DocumentOutcome, JobDocuments } from '../../workflows/contract/contract.js';
import { OUTCOMES, OUTCOMES_IN_WORDS } from '../../workflows/rules/text.js';

/** Such as "9 of 12 sent, 3 not sent". */
export function countsInWords(counts: Pick<JobDocuments, DocumentOutcome | 'total' | 'complete'>): string {
  const others = OUTCOMES.filter((outcome) => outcome !== 'sent' && counts[outcome] > 0).map(
    (outcome) => `${counts[outcome]} ${OUTCOMES_IN_WORDS[outcome]}`,
  );
  const gap = counts.complete ? [] : ['and Zuora did not list all'];
  return [`${counts.sent} of ${counts.total} sent`, ...others, ...gap].join(', ');
}
