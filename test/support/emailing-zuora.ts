/** A Zuora of a few lines on loopback, with what a check of delivery reads. What a test does not give, Zuora does not have. */
import type { ServerResponse } from 'node:http';
import { json, openLoopbackZuora, openZuora, type Arrived, type Respond } from './loopback-zuora.js';
import type { ZuoraSettings } from '../../zuora/client.js';

type Members = Readonly<Record<string, unknown>>;

export interface EmailingTenant {
  invoices?: readonly Members[];
  creditMemos?: readonly Members[];
  /** Those of invoices are in the invoices. */
  accounts?: readonly Members[];
  /** By `objectId`; its times are those of `sendTime`. */
  history?: Readonly<Record<string, readonly Members[]>>;
  failures?: readonly Members[];
  pdfs?: Readonly<Record<string, Members>>;
  definitions?: readonly Members[];
  profiles?: readonly Members[];
  zeroFlag?: boolean;
  /** Answers instead; undefined: as usual. */
  instead?: ((path: string, query: URLSearchParams) => Respond | undefined) | undefined;
}

export const PROFILE = 'profile-1';

/** An invoice that Zuora lists with its account; it can be emailed. */
export function invoice(number: string, members: Members = {}, account: Members = {}): Members {
  return {
    ...{ id: `id-${number}`, invoiceNumber: number, status: 'Posted', amount: 10, accountId: `account-${number}` },
    account: {
      ...{
        id: `account-${number}`,
        communicationProfileId: PROFILE,
        invoiceDeliveryPrefsEmail: true,
        billToId: 'contact-1',
      },
      billTo: { id: 'contact-1', workEmail: 'jane.doe@customer.example' },
      ...account,
    },
    ...members,
  };
}

export function creditMemo(number: string, members: Members = {}): Members {
  return { id: `id-${number}`, number, status: 'Posted', amount: 10, accountId: `account-${number}`, ...members };
}

export function definition(members: Members = {}): Members {
  return { name: 'Email', active: true, emailActive: true, communicationProfileIds: [PROFILE], ...members };
}

export async function openEmailingZuora(tenant: EmailingTenant, settings: Partial<ZuoraSettings> = {}) {
  const loopback = await openLoopbackZuora({
    call: (response, arrived) => {
      answer(tenant, response, arrived);
    },
  });
  const paths = () => loopback.calls.map(({ path }) => path.split('?')[0]?.slice(1) ?? '');
  return {
    loopback,
    zuora: openZuora(loopback.baseUrl, settings),
    /** How many calls of each path have arrived. */
    counts: () => {
      const counts: Record<string, number> = {};
      for (const path of paths()) counts[path] = (counts[path] ?? 0) + 1;
      return counts;
    },
    /** The queries of a path, in order. */
    queries: (wanted: string) =>
      loopback.calls
        .filter(({ path }) => path.startsWith(`/${wanted}?`))
        .map(({ path }) => new URLSearchParams(path.split('?')[1])),
  };
}

function answer(tenant: EmailingTenant, response: ServerResponse, arrived: Arrived): void {
  const [path = '', search] = arrived.path.slice(1).split('?');
  const query = new URLSearchParams(search);
  const respond = tenant.instead?.(path, query) ?? json(200, bodyOf(tenant, path, query));
  respond(response, arrived);
}

function bodyOf(tenant: EmailingTenant, path: string, query: URLSearchParams): unknown {
  const { invoices = [], creditMemos = [], history = {}, failures = [], pdfs = {} } = tenant;
  const page = Number(query.get('page') ?? '1');
  switch (path) {
    case 'object-query/invoices': {
      const start = Number(query.get('cursor') ?? '0');
      const end = start + Number(query.get('pageSize'));
      const isExpanded = query.get('expand[]') === 'account.billto';
      const data = invoices.slice(start, end).map((each) => (isExpanded ? each : { ...each, account: undefined }));
      return { data, nextPage: end < invoices.length ? String(end) : '' };
    }
    case 'v1/credit-memos':
      return {
        creditmemos: creditMemos.slice(40 * (page - 1), 40 * page),
        ...next(page, creditMemos.length),
        success: true,
      };
    case 'object-query/accounts': {
      const ids = /^id\.IN:\[(.*)\]$/.exec(query.get('filter[]') ?? '')?.[1]?.split(',') ?? [];
      if (ids.length > 50) throw new Error('more than 50 accounts');
      return { data: (tenant.accounts ?? []).filter(({ id }) => ids.includes(String(id))) };
    }
    case 'notifications/notification-definitions':
      return { data: tenant.definitions ?? [definition()] };
    case 'settings/communication-profiles':
      return tenant.profiles ?? [{ id: PROFILE, isDefault: true, muted: false }];
    case 'object-query/billing-runs':
      return { data: [{ noEmailForZeroAmountInvoice: tenant.zeroFlag ?? false }] };
    case 'v1/notification-history/email': {
      const rows = query.get('failedOnly') === 'true' ? failures : (history[query.get('objectId') ?? ''] ?? []);
      const within = rows.filter(({ sendTime, eventCategory }) => {
        const ofEvent = query.get('eventCategory') ?? String(eventCategory);
        const [from, to] = [query.get('startTime') ?? '', query.get('endTime') ?? ''];
        return (
          String(eventCategory) === ofEvent && (typeof sendTime !== 'string' || (sendTime >= from && sendTime <= to))
        );
      });
      return {
        emailHistories: within.slice(40 * (page - 1), 40 * page),
        ...next(page, within.length),
        success: true,
      };
    }
    case 'v1/invoices/pdf-status':
      return { invoiceFiles: pdfsOf(pdfs, query.get('invoiceKeys'), 'invoiceId'), success: true };
    case 'v1/credit-memos/pdf-status':
      return { creditMemoFiles: pdfsOf(pdfs, query.get('creditMemoKeys'), 'creditMemoId'), success: true };
    default:
      return { success: false, reasons: [{ code: 50000040, message: `no ${path}` }] };
  }
}

/** As in Zuora's sample: on another host. */
function next(page: number, rows: number): Members {
  return 40 * page < rows ? { nextPage: `https://elsewhere.example/apps/v1/next?page=${page + 1}` } : {};
}

function pdfsOf(pdfs: Readonly<Record<string, Members>>, keys: string | null, name: string): readonly Members[] {
  const ids = (keys ?? '').split(',');
  if (ids.length > 50) throw new Error('more than 50 keys');
  return ids.map((id) => ({ [name]: id, pdfGenerationStatus: 'Generated', ...pdfs[id] }));
}
