/**
 * How Zuora says no.
 *
 * A /v1 error code has six digits for the resource and two for the category; the category decides the HTTP status, but
 * only from Zuora-Version 2024-05-20 on: before it, or without the header, a failure is an HTTP 200 with
 * `success: false` (developer.zuora.com: docs/guides/error-codes, v1-api-reference/api-upgrades).
 */
const STATUS_OF_CATEGORY = {
  10: 403, // permission denied
  20: 400, // invalid value
  21: 400, // unknown field
  22: 400, // missing field
  23: 400, // missing parameter
  27: 400, // invalid query parameter (Object Query)
  30: 400, // rule restriction
  40: 404, // not found
  45: 415, // unsupported
  90: 400, // malformed JSON
} as const;

type Category = keyof typeof STATUS_OF_CATEGORY;

/** Thrown by the operations, rendered at the front door. */
export class Refusal extends Error {
  readonly category: Category;
  /** Set where the web framework answers, before any version of the API has a say. */
  readonly fixedStatus: number | undefined;

  constructor(category: Category, message: string, fixedStatus?: number) {
    super(message);
    this.name = 'Refusal';
    this.category = category;
    this.fixedStatus = fixedStatus;
  }
}

/** Documented for requests without a payload. The number Zuora uses for bill runs with one is not published. */
const RESOURCE = 500_000;

/** Which of Zuora's error shapes a route speaks. */
export type Family = 'oauth' | 'v1' | 'objectQuery';

interface ErrorReply {
  readonly status: number;
  readonly body: unknown;
}

export function renderRefusal(
  refusal: Refusal,
  request: {
    readonly family: Family;
    readonly version: string | undefined;
    readonly requestId: string;
    readonly codesAs: 'number' | 'text';
  },
): ErrorReply {
  const { category, message } = refusal;
  const code = RESOURCE * 100 + category;
  const reasons = [{ code: request.codesAs === 'text' ? String(code) : code, message }];
  const { requestId } = request;
  const processId = requestId.replaceAll('-', '').slice(0, 16).toUpperCase();
  const longForm = { success: false, processId, requestId, reasons };
  const status = refusal.fixedStatus ?? STATUS_OF_CATEGORY[category];

  switch (request.family) {
    case 'oauth':
      return { status, body: { message } };
    case 'objectQuery':
      return { status, body: isFrom(request.version, '2025-08-12') ? { reasons, requestId } : longForm };
    case 'v1': {
      const speaksHttp = refusal.fixedStatus !== undefined || isFrom(request.version, '2024-05-20');
      return { status: speaksHttp ? status : 200, body: longForm };
    }
  }
}

/** Versions are dates since 2024; the numbered ones before (186.0 … 341.0) are all older. */
function isFrom(version: string | undefined, date: string): boolean {
  return version !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(version) && version >= date;
}
