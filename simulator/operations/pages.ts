import { Refusal } from '../refusal.js';
import { header, type ApiRequest } from '../wire.js';

/** Lists of /v1: pages are numbered, and `nextPage` is a whole URL. Some operations answer 400 to more than 40 a page. */
const DEFAULT_PAGE_SIZE = 20;
const LARGEST_PAGE_SIZE = 40;

export function paged<Row>(all: readonly Row[], request: ApiRequest) {
  const page = wholeNumber(request, 'page', 1, Number.MAX_SAFE_INTEGER);
  const pageSize = wholeNumber(request, 'pageSize', DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE);
  const rows = all.slice((page - 1) * pageSize, page * pageSize);
  return { rows, nextPage: page * pageSize < all.length ? { nextPage: urlOfPage(request, page + 1) } : {} };
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
