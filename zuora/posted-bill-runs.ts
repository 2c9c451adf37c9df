/** The bill runs that were posted lately. */
import { z } from 'zod';
import { name } from './bill-run.js';
import type { Scope, Zuora } from './client.js';
import { listed, nextPage, optional, orNull, yesOrNo, type Listing } from './documents.js';
import { count, time } from './members.js';
import { momentOf, type Moment } from './moment.js';

/** Null: Zuora does not say. */
export interface PostedBillRun {
  readonly id: string;
  readonly number: string;
  /** In Zuora's format. */
  readonly postedDate: string | null;
  readonly autoEmail: boolean | null;
  readonly invoicesEmailed: boolean | null;
  readonly numberOfInvoices: number | null;
  readonly numberOfCreditMemos: number | null;
}

type Row = PostedBillRun & { readonly status: string | null };

const rows = z
  .object({
    data: z.array(
      z.object({
        ...{ id: name, billingRunNumber: name, status: optional },
        postedDate: time.transform(orNull),
        ...{ autoEmail: yesOrNo, invoicesEmailed: yesOrNo },
        ...{ numberOfInvoices: count.transform(orNull), numberOfCreditMemos: count.transform(orNull) },
      }),
    ),
    nextPage,
  })
  .transform(({ data, nextPage: next }) => ({
    documents: data.map(({ billingRunNumber: number, ...billRun }): Row => ({ number, ...billRun })),
    next,
  }));

/** Source: Zuora's page on `GET /object-query/billing-runs`. The date of the post cannot be filtered by. */
const updatedSince: Listing<Row> = {
  path: 'object-query/billing-runs',
  parameters: (since) => [
    ['filter[]', 'status.EQ:Posted'],
    ['filter[]', `updateddate.GE:${since}`],
    [
      'fields[]',
      'id,billingrunnumber,status,posteddate,autoemail,invoicesemailed,numberofinvoices,numberofcreditmemos',
    ],
    // By default the newest changes come first, and a change meanwhile moves its bill run to another page.
    ['sort[]', 'billingrunnumber.ASC'],
    ['pageSize', '99'],
  ],
  page: rows,
  nextPage: (_page, next) => ['cursor', next],
};

/** Zuora's times may be in the tenant's zone, which we do not know. */
const SLACK_MS = 24 * 60 * 60_000;
/** Some 50,000 bill runs. */
const MOST_PAGES = 500;

/**
 * Reads the bill runs that may have been posted since a time (epoch, ms), each once.
 *
 * @param turn awaited before each HTTP call
 * @throws {@link ZuoraFailure}, {@link NeverLeft}
 */
export async function postedSince(
  zuora: Pick<Zuora, 'get'>,
  since: number,
  scope: Scope,
  turn: () => Promise<void>,
): Promise<{ readonly billRuns: readonly PostedBillRun[]; readonly complete: boolean }> {
  const { path, page } = updatedSince;
  const what = 'posted bill runs';
  const from = new Date(since - SLACK_MS).toISOString().replace(/\.\d+Z$/, 'Z');
  const { documents, complete } = await listed(
    updatedSince,
    from,
    (query) => zuora.get(path, query, page, { what, scope, turn }),
    MOST_PAGES,
  );
  const isWanted = (row: Row): boolean => row.status === 'Posted' && postOf(row).to >= since;
  return { billRuns: documents.filter(isWanted), complete };
}

/** The first and the last instant at which the bill run may have been posted; any, if Zuora does not say so legibly. */
export function postOf({ postedDate }: Pick<PostedBillRun, 'postedDate'>): Moment {
  return momentOf(postedDate) ?? { from: -Infinity, to: Infinity };
}
