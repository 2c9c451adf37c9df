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

  /** The notification "Manual Email For Invoice". */
  invoiceNotificationActive: z.boolean(),
  /** The notification "Email Credit Memo". */
  creditMemoNotificationActive: z.boolean(),
  /** The notifications "Invoice Posted" and "Credit Memo Posted": posting itself emails the documents. */
  postedNotificationActive: z.boolean(),
  /** The default communication profile is muted: its notifications email nobody. */
  profileMuted: z.boolean(),
  /** Reads that the user of the API may not make. `accounts` are what `expand[]` adds to invoices, too. */
  missingPermissions: z
    .array(z.enum(['notificationHistory', 'pdfStatus', 'communicationProfiles', 'notificationDefinitions', 'accounts']))
    .readonly(),
  /** Entity IDs the token is valid for. Empty: no Multi-entity. With more than one, Zuora-Entity-Ids is required. */
  entities: z.array(z.string().min(1)).readonly(),
  /** Org IDs the user may see. Empty: no Multi-Org. */
  orgs: z.array(z.string().min(1)).readonly(),
  /** Offset of the tenant's time zone, which Object Query writes out and /v1 leaves out. */
  utcOffset: z.string().regex(/^[+-]\d{2}:\d{2}$/, 'must look like -07:00'),

  /**
   * An email call without an active notification for any document. Zuora evaluates active definitions only, so likely
   * it says success and sends nothing; the error for anything else is not documented.
   */
  inactiveNotification: z.enum(['silent', 'refuse']),
  /** Whether `resend=false` emails a document whose email failed before. The page says "never emailed" and no more. */
  retriesFailed: z.boolean(),
  /** Whether the email call obeys the preference of the account; only auto-email is documented to do so. */
  emailPreferenceHoldsForEmailCall: z.boolean(),
  /** An email to an account without an address: no text of such a failure is documented. */
  missingAddress: z.enum(['silent', 'failed']),
  /** An email whose PDF is in error. Emails leave after the PDF is made, so likely it waits. */
  emailWithPdfError: z.enum(['wait', 'failed']),
  /** When `lastEmailSentDate` changes. If it is when an email is queued, then failed emails change it, too. */
  lastEmailSentDateSet: z.enum(['whenSent', 'whenQueued']),
  /** The zone of times in the email history, which name none. */
  historyTimesIn: z.enum(['tenant', 'utc']),
  /** `eventCategory` of the email history: the schema and Zuora's Python client say text, the sample is a number. */
  eventCategoryAs: z.enum(['text', 'number']),
  /** `nextPage` of the email history: in the sample it is on another host, under /apps/v1. */
  historyNextPage: z.enum(['foreign', 'own']),
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
  /** Whether `noEmailForZeroAmountInvoice` also holds for the email call, as the guide on batch emails says. */
  zeroAmountRuleHoldsForEmailCall: z.boolean(),
  /** Whether a bill run without documents reaches Posted; if not, it goes back to Completed. */
  emptyBillRunsPost: z.boolean(),
  /** `GET /v1/bill-runs/{id}` is documented for the ID only. */
  readByNumberOnV1: z.boolean(),
});

export type Settings = Readonly<z.infer<typeof settingsSchema>>;

export const settingsChangeSchema = settingsSchema.partial().extend({
  /** The two notifications of the email call at once: both, neither, or only one of them. */
  notificationActive: z.union([z.boolean(), z.enum(['invoices', 'creditMemos'])]).optional(),
});

export type SettingsChange = Readonly<z.infer<typeof settingsChangeSchema>>;

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
  invoiceNotificationActive: true,
  creditMemoNotificationActive: true,
  postedNotificationActive: false,
  profileMuted: false,
  missingPermissions: [],
  entities: [],
  orgs: [],
  utcOffset: '-07:00',
  inactiveNotification: 'silent',
  retriesFailed: true,
  emailPreferenceHoldsForEmailCall: false,
  missingAddress: 'silent',
  emailWithPdfError: 'wait',
  lastEmailSentDateSet: 'whenSent',
  historyTimesIn: 'tenant',
  eventCategoryAs: 'text',
  historyNextPage: 'foreign',
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
  zeroAmountRuleHoldsForEmailCall: true,
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

  change({ notificationActive: active, ...change }: SettingsChange): void {
    const both =
      active === undefined
        ? {}
        : {
            invoiceNotificationActive: active === true || active === 'invoices',
            creditMemoNotificationActive: active === true || active === 'creditMemos',
          };
    const given = Object.fromEntries(Object.entries({ ...both, ...change }).filter(([, value]) => value !== undefined));
    this.#settings = { ...this.#settings, ...given };
  }
}
