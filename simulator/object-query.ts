/**
 * The part of Object Query that all its objects share (developer.zuora.com: docs/guides/expand-filter-fields-sort):
 * `filter[]`, `sort[]`, `fields[]`, `pageSize`, `cursor`, `includeNullFields`. Names of fields are matched without
 * regard to case. `expand[]` is taken and adds nothing: no operation here has an object to expand worth simulating.
 */
import { Refusal } from './refusal.js';

export type Row = Readonly<Record<string, unknown>>;

export interface QueriedObject {
  readonly fields: readonly string[];
  /** In lower case, as the operation's page lists them. */
  readonly filterable: readonly string[];
}

const OPERATORS = ['EQ', 'NE', 'LT', 'GT', 'LE', 'GE', 'SW', 'IN'] as const;
type Operator = (typeof OPERATORS)[number];

interface Filter {
  readonly field: string;
  readonly operator: Operator;
  readonly value: string;
}

const LARGEST_PAGE = 99;
const DEFAULT_PAGE = 10;

export function queryList(rows: readonly Row[], object: QueriedObject, query: URLSearchParams) {
  const filters = listed(query, 'filter[]').map((filter) => parseFilter(filter, object));
  const found = rows.filter((row) => filters.every((filter) => passes(filter, valueOf(row, filter.field))));
  const sorted = sortRows(found, object, listed(query, 'sort[]'));

  const pageSize = parsePageSize(query.get('pageSize'));
  const start = parseCursor(query.get('cursor'));
  const end = start + pageSize;
  return {
    ...(end < sorted.length ? { nextPage: cursorAt(end) } : {}),
    data: sorted.slice(start, end).map((row) => present(row, object, query)),
  };
}

/** One row with the fields that the query asks for, with or without null fields. */
export function present(row: Row, object: QueriedObject, query: URLSearchParams): Row {
  const wanted = listed(query, 'fields[]')
    .flatMap((fields) => fields.split(','))
    .map((field) => field.trim().toLowerCase());
  const withNull = query.get('includeNullFields')?.toLowerCase() === 'true';
  const presented: Record<string, unknown> = {};
  for (const field of object.fields) {
    if (wanted.length > 0 && !wanted.includes(field.toLowerCase())) continue;
    const value = row[field] ?? null;
    if (value !== null || withNull) presented[field] = value;
  }
  return presented;
}

function parseFilter(text: string, object: QueriedObject): Filter {
  const [, field = '', operator = '', value = ''] = /^([^.:]+)\.([A-Za-z]+):(.*)$/s.exec(text) ?? [];
  const known = OPERATORS.find((name) => name === operator.toUpperCase());
  if (known === undefined || !object.filterable.includes(field.toLowerCase())) {
    throw new Refusal(27, `Invalid filter parameter: ${field === '' ? text : field}`);
  }
  return { field: field.toLowerCase(), operator: known, value };
}

function passes({ operator, value }: Filter, present: unknown): boolean {
  const text = textOf(present);
  const order = compare(text, value);
  switch (operator) {
    case 'EQ':
      return text === value;
    case 'NE':
      return text !== value;
    case 'LT':
      return text !== '' && order < 0;
    case 'GT':
      return text !== '' && order > 0;
    case 'LE':
      return text !== '' && order <= 0;
    case 'GE':
      return text !== '' && order >= 0;
    case 'SW':
      return text.startsWith(value);
    case 'IN':
      return value
        .replace(/^\[|\]$/g, '')
        .split(',')
        .some((item) => item.trim() === text);
  }
}

/** Newest first without a wish: that is what the cursor in the operation's sample encodes. */
function sortRows(rows: readonly Row[], object: QueriedObject, wishes: readonly string[]): readonly Row[] {
  const orders = (wishes.length > 0 ? wishes : ['updateddate.DESC', 'id.DESC']).map((wish) => {
    const [field = '', direction = 'ASC'] = wish.toLowerCase().split('.');
    if (!object.filterable.includes(field)) throw new Refusal(27, `Invalid sort parameter: ${wish}`);
    return { field, sign: direction === 'desc' ? -1 : 1 };
  });
  return rows.toSorted((one, other) => {
    for (const { field, sign } of orders) {
      const order = compare(textOf(valueOf(one, field)), textOf(valueOf(other, field)));
      if (order !== 0) return sign * order;
    }
    return 0;
  });
}

function parsePageSize(text: string | null): number {
  if (text === null) return DEFAULT_PAGE;
  const size = Number(text);
  if (!Number.isInteger(size) || size < 1 || size > LARGEST_PAGE) throw new Refusal(27, `Invalid pageSize: ${text}`);
  return size;
}

function cursorAt(position: number): string {
  return Buffer.from(JSON.stringify([{ position }])).toString('base64');
}

function parseCursor(text: string | null): number {
  if (text === null) return 0;
  const [, position] = /^\[\{"position":(\d+)\}\]$/.exec(Buffer.from(text, 'base64').toString('utf8')) ?? [];
  if (position === undefined) throw new Refusal(27, 'Invalid cursor');
  return Number(position);
}

function listed(query: URLSearchParams, name: string): readonly string[] {
  return query.getAll(name).filter((value) => value !== '');
}

function valueOf(row: Row, lowerCasedField: string): unknown {
  return Object.entries(row).find(([field]) => field.toLowerCase() === lowerCasedField)?.[1];
}

function textOf(value: unknown): string {
  return typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : '';
}

function compare(one: string, other: string): number {
  const numbers = [Number(one), Number(other)] as const;
  if (one !== '' && other !== '' && numbers.every(Number.isFinite)) return numbers[0] - numbers[1];
  return one < other ? -1 : one > other ? 1 : 0;
}
