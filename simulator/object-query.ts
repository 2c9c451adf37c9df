/**
 * The part of Object Query that all its objects share (developer.zuora.com: docs/guides/expand-filter-fields-sort):
 * `filter[]`, `sort[]`, `expand[]`, `fields[]`, `pageSize`, `cursor`, `includeNullFields`. Names of fields and the
 * values of EQ, NE, IN and SW are matched without regard to case, `EQ:null` finds what has no value, and a list is
 * sorted by one field at most.
 */
import { Refusal } from './refusal.js';

export type Row = Readonly<Record<string, unknown>>;

export interface QueriedObject {
  readonly fields: readonly string[];
  /** In lower case, as the operation's page lists them. */
  readonly filterable: readonly string[];
  /** Paths to related objects in a row, such as `account.billTo`. */
  readonly expandable?: readonly string[];
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
  expansions(object, query);
  const found = rows.filter((row) => filters.every((filter) => passes(filter, valueOf(row, filter.field))));
  const sorted = sortRows(found, object, wishes(query, 'sort[]'));

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
  const presented = picked(row, object.fields, 'fields[]', query);
  for (const path of expansions(object, query)) {
    let [from, into]: [Row, Record<string, unknown>] = [row, presented];
    for (const name of path.split('.')) {
      from = from[name] as Row;
      const plain = Object.keys(from).filter((field) => typeof from[field] !== 'object' || from[field] === null);
      into = (into[name] ??= picked(from, plain, `${name.toLowerCase()}.fields[]`, query)) as Record<string, unknown>;
    }
  }
  return presented;
}

function picked(row: Row, fields: readonly string[], parameter: string, query: URLSearchParams) {
  const wanted = wishes(query, parameter);
  const withNull = query.get('includeNullFields')?.toLowerCase() === 'true';
  const found: Record<string, unknown> = {};
  for (const field of fields) {
    if (wanted.length > 0 && !wanted.includes(field.toLowerCase())) continue;
    const value = row[field] ?? null;
    if (value !== null || withNull) found[field] = value;
  }
  return found;
}

/** `account.billto` expands the account, too. */
function expansions({ expandable = [] }: QueriedObject, query: URLSearchParams): readonly string[] {
  return wishes(query, 'expand[]').map((wish) => {
    const path = expandable.find((known) => known.toLowerCase() === wish);
    if (path === undefined) throw new Refusal(27, `Invalid expand parameter: ${wish}`);
    return path;
  });
}

function parseFilter(text: string, object: QueriedObject): Filter {
  const [, field = '', operator = '', value = ''] = /^([^.:]+)\.([A-Za-z]+):(.*)$/s.exec(text) ?? [];
  const known = OPERATORS.find((name) => name === operator.toUpperCase());
  if (known === undefined || !object.filterable.includes(field.toLowerCase())) {
    throw new Refusal(27, `Invalid filter parameter: ${field === '' ? text : field}`);
  }
  return { field: field.toLowerCase(), operator: known, value };
}

function passes({ operator, ...filter }: Filter, present: unknown): boolean {
  const text = textOf(present).toLowerCase();
  const given = filter.value.toLowerCase();
  const value = given === 'null' && (operator === 'EQ' || operator === 'NE') ? '' : given;
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
function sortRows(rows: readonly Row[], object: QueriedObject, wanted: readonly string[]): readonly Row[] {
  if (wanted.length > 1) throw new Refusal(27, 'Invalid sort parameter: only one field can be sorted by.');
  const orders = (wanted.length > 0 ? wanted : ['updateddate.DESC', 'id.DESC']).map((wish) => {
    const [field = '', direction = 'asc'] = wish.toLowerCase().split('.');
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

/** In lower case; several can stand in one parameter. */
function wishes(query: URLSearchParams, name: string): readonly string[] {
  return listed(query, name).flatMap((value) => value.split(',').map((wish) => wish.trim().toLowerCase()));
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
