/** Events that email a document, and the communication profiles whose notifications do it. */
import type { BillingDocument } from './bill-run.js';
import type { Settings } from './settings.js';

/** Codes and names of standard events (docs.zuora.com: parent and event category codes): on request, and at the post. */
export const EVENTS = {
  requested: {
    Invoice: { category: '1130', notification: 'Manual Email For Invoice' },
    CreditMemo: { category: '2730', notification: 'Email Credit Memo' },
  },
  posted: {
    Invoice: { category: '1110', notification: 'Invoice Posted' },
    CreditMemo: { category: '2720', notification: 'Credit Memo Posted' },
  },
} as const;

export type When = keyof typeof EVENTS;

/** All definitions belong to the first profile. Accounts of the second are emailed nothing; it exists once a document has it. */
export const PROFILES = {
  default: { id: '5e1f0000-0000-4000-8000-51a1a70b0002', name: 'Default Profile', number: 'CP-00000001' },
  bare: { id: '5e1f0000-0000-4000-8000-51a1a70b0003', name: 'Bare Profile', number: 'CP-00000002' },
} as const;

export function isActive(settings: Settings, when: When, type: BillingDocument['type']): boolean {
  if (when === 'posted') return settings.postedNotificationActive;
  return type === 'Invoice' ? settings.invoiceNotificationActive : settings.creditMemoNotificationActive;
}

/** Zuora evaluates active definitions only, of the profile of the account. */
export function hasNotification(settings: Settings, when: When, document: BillingDocument): boolean {
  return document.communicationProfile === 'default' && isActive(settings, when, document.type);
}
