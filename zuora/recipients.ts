/** To whom Zuora addresses documents. Only people who ask for recipients see them: they go into no history, log or error. */
import { z } from 'zod';
import type { Scope, Zuora } from './client.js';
import { accountCalls, type FollowedDocument } from './delivery-reads.js';
import { optional, orNull } from './documents.js';

const text = z.string().nullish().catch(undefined);
const contact = z.object({ workEmail: text, personalEmail: text }).nullish().catch(undefined);
const accounts = z.object({
  data: z.array(
    z.object({ id: z.string(), billToId: optional, additionalEmailAddresses: text, billTo: contact.transform(orNull) }),
  ),
});

/**
 * The addresses of each document by its account: of the bill-to contact the work address, else the personal one, then the additional
 * ones of the account. A document is missing if they are not known.
 *
 * @throws {@link ZuoraFailure}, {@link NeverLeft}
 */
export async function readRecipients(
  zuora: Pick<Zuora, 'get'>,
  documents: readonly FollowedDocument[],
  scope: Scope,
): Promise<ReadonlyMap<FollowedDocument, readonly string[]>> {
  const ids = [...new Set(documents.flatMap(({ accountId }) => accountId ?? []))];
  const byId = new Map<string, z.infer<typeof accounts>['data'][number]>();
  for (const { path, query } of accountCalls(ids)) {
    const { data } = await zuora.get(path, query, accounts, { what: 'accounts', scope });
    for (const account of data) byId.set(account.id, account);
  }
  const recipients = new Map<FollowedDocument, readonly string[]>();
  for (const document of documents) {
    const account = byId.get(document.accountId ?? '');
    // Another contact than the account's is not read.
    if (account?.billTo == null || (document.billToId !== null && document.billToId !== account.billToId)) continue;
    const { workEmail, personalEmail } = account.billTo;
    const additional = (account.additionalEmailAddresses ?? '').split(/[,;]/);
    const all = [[workEmail, personalEmail].find((each) => (each ?? '').trim() !== '') ?? '', ...additional];
    recipients.set(
      document,
      all.map((each) => each.trim()).filter((each) => each !== ''),
    );
  }
  return recipients;
}
