import { Refusal } from '../refusal.js';
import type { Settings } from '../settings.js';
import { header, type ApiRequest } from '../wire.js';

/** Lists of /v1: pages are numbered, and `nextPage` is a whole URL. The setting says what more than 40 a page come to. */
const DEFAULT_PAGE_SIZE = 20;
const LARGEST_PAGE_SIZE = 40;

export function paged<Row>(all: readonly Row[], request: ApiRequest, { pageSizeOver40 }: Settings) {
  const page = wholeNumber(request, 'page', 1, Number.MAX_SAFE_INTEGER);
  const largest = pageSizeOver40 === 'refuse' ? LARGEST_PAGE_SIZE : Number.MAX_SAFE_INTEGER;
  const pageSize = Math.min(wholeNumber(request, 'pageSize', DEFAULT_PAGE_SIZE, largest), LARGEST_PAGE_SIZE);
  const rows = all.slice((page - 1) * pageSize, page * pageSize);
  return { rows, nextPage: page * pageSize < all.length ? urlOfPage(request, page + 1) : undefined };
}

function wholeNumber(request: ApiRequest, name: string, otherwise: number, largest: number): number {
  const text = request.query.get(name);
  if (text === null) return otherwise;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > largest) {
    throw new Refusal(20, `'${name}' must be a whole number from 1 to ${largest}.`);
  }
  return number;
}

function urlOfPage(request: ApiRequest, page: number): string {
  const query = new URLSearchParams(request.query);
  query.set('page', String(page));
  return `http://${header(request, 'host') ?? ''}${request.path}?${query.toString()}`;
}
