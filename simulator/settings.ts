import { z } from 'zod';

/**
 * What can be set when the simulator starts, and changed while it runs (`PATCH /simulator/settings`).
 *
 * The second half are switches for what Zuora's documentation leaves open. Whatever depends on one of them has to be
 * right under both settings; the default is the likelier one, with the reason beside it.
 */
const milliseconds = z.number().int().nonnegative();

export const settingsSchema = z.strictObject({
  /** Between the answer to an email call and the moment its emails leave. In a real tenant up to hours: PDFs come first. */
  emailDelayMs: milliseconds,
  /** Pending → Processing → Completed, half of it each. */
  processingMs: milliseconds,
  /** PostInProgress → Posted. */
  postingMs: milliseconds,
  /** CancelInProgress → Canceled. */
  cancelingMs: milliseconds,
  /** The next so many postings fail for a document, and their bill runs go back to Completed. */
  failPostings: z.number().int().nonnegative(),
  /** What new bill runs hold unless asked otherwise. */
  invoicesPerBillRun: z.number().int().nonnegative().max(100_000),
  creditMemosPerBillRun: z.number().int().nonnegative().max(100_000),

  tokenLifetimeSeconds: z.number().int().positive(),
  /** Tokens die so much sooner than their `expires_in` says. */
  tokensExpireEarlySeconds: z.number().int().nonnegative(),

  /** The notifications "Manual Email For Invoice" and "Email Credit Memo": both, neither, or one of them. */
  notificationActive: z.union([z.boolean(), z.enum(['invoices', 'creditMemos'])]),
  /** The notifications "Invoice Posted" and "Credit Memo Posted": posting itself emails the documents. */
  postedNotificationActive: z.boolean(),
  /** Entity IDs the token is valid for. Empty: no Multi-entity. With more than one, Zuora-Entity-Ids is required. */
  entities: z.array(z.string().min(1)).readonly(),
  /** Org IDs the user may see. Empty: no Multi-Org. */
  orgs: z.array(z.string().min(1)).readonly(),
  /** Offset of the tenant's time zone, which Object Query writes out and /v1 leaves out. */
  utcOffset: z.string().regex(/^[+-]\d{2}:\d{2}$/, 'must look like -07:00'),

  /** Codes of errors: numbers in Zuora's guides, text in its samples and in its Python client. */
  errorCodesAs: z.enum(['number', 'text']),
  /** `pageSize` over 40 in a list of /v1: the pages of operations say 40 at most; likely a larger one counts as 40. */
  pageSizeOver40: z.enum(['cap', 'refuse']),

  /** "Whether it succeeded or failed" is documented; that this covers a 401 is not: an authentication gateway stands before. */
  storeUnauthorized: z.boolean(),
  /** Likewise a 429: a rate limiter stands before. */
  storeTooManyRequests: z.boolean(),
  /** Any other reply injected by a fault that does not say `stored` itself: off, as from a gateway; on, as from the application. */
  storeInjected: z.boolean(),
  /** Zuora's guide names tenant, URL and method as what a key is compared by; the entity is not among them. */
  keyScope: z.enum(['tenant', 'entity']),
  /** The same key with another body: the guide does not list it, Zuora's notes for agents say it is rejected. */
  sameKeyOtherBody: z.enum(['replay', 'refuse']),
  /** The guide says "less than 255", the operations say 255 at most. */
  idempotencyKeyMaxLength: z.number().int().positive(),
  /** `{"resend": "true"}`: the schema says boolean, the sample payload of the same page is a string. */
  stringResend: z.enum(['accept', 'refuse']),
  /** Zuora-Entity-Ids without Multi-entity, Zuora-Org-Ids without Multi-Org: "should not be set", with no word on what happens. */
  unneededHeaders: z.enum(['ignore', 'refuse']),
  /** Whether emails that posting brought about, by auto-email or a notification, count as sent for `resend=false`. */
  autoEmailCounts: z.boolean(),
  /** Whether `noEmailForZeroAmountInvoice` also holds for the email call. */
  zeroAmountRuleHoldsForEmailCall: z.boolean(),
  /** Whether a bill run without documents reaches Posted; if not, it goes back to Completed. */
  emptyBillRunsPost: z.boolean(),
  /** `GET /v1/bill-runs/{id}` is documented for the ID only. */
  readByNumberOnV1: z.boolean(),
});

export type Settings = Readonly<z.infer<typeof settingsSchema>>;

export const defaultSettings: Settings = {
  emailDelayMs: 0,
  processingMs: 400,
  postingMs: 400,
  cancelingMs: 400,
  failPostings: 0,
  invoicesPerBillRun: 3,
  creditMemosPerBillRun: 1,
  tokenLifetimeSeconds: 3599,
  tokensExpireEarlySeconds: 0,
  notificationActive: true,
  postedNotificationActive: false,
  entities: [],
  orgs: [],
  utcOffset: '-07:00',
  errorCodesAs: 'number',
  pageSizeOver40: 'cap',
  storeUnauthorized: false,
  storeTooManyRequests: false,
  storeInjected: false,
  keyScope: 'tenant',
  sameKeyOtherBody: 'replay',
  idempotencyKeyMaxLength: 255,
  stringResend: 'accept',
  unneededHeaders: 'ignore',
  autoEmailCounts: true,
  zeroAmountRuleHoldsForEmailCall: false,
  emptyBillRunsPost: true,
  readByNumberOnV1: false,
};

/** Shared by all parts of a simulator, so that a change is seen at once everywhere. */
export class SettingsInForce {
  #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  get current(): Settings {
    return this.#settings;
  }

  change(change: Partial<Settings>): void {
    this.#settings = { ...this.#settings, ...change };
  }
}
