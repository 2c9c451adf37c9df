/** Times as Zuora writes them. Forms differ by endpoint, and some have no zone: then the tenant's is meant, which we do not know. */

/** The instants that a time may mean: from the first to the last, in milliseconds since the epoch. */
export interface Moment {
  readonly from: number;
  readonly to: number;
}

const HOUR = 60 * 60 * 1000;
/** No zone is further from UTC. */
const FURTHEST_ZONE = 14 * HOUR;

const FORM = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) ?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;

/** Undefined if the time cannot be read, or is not there. */
export function momentOf(written: string | null | undefined): Moment | undefined {
  if (written == null) return undefined;
  const text = written.trim();
  // Milliseconds, as some JSON libraries write a date.
  if (/^\d{12,13}$/.test(text)) return { from: Number(text), to: Number(text) };
  const [, day, time, zone] = FORM.exec(text) ?? [];
  if (day === undefined) return undefined;
  const [hours, minutes = '00'] = zone?.slice(1).match(/\d{2}/g) ?? [];
  const offset = hours === undefined ? 'Z' : `${zone?.slice(0, 1) ?? ''}${hours}:${minutes}`;
  const at = Date.parse(`${day}T${time ?? '00:00'}${offset}`);
  if (Number.isNaN(at)) return undefined;
  if (zone !== undefined) return { from: at, to: at };
  return { from: at - FURTHEST_ZONE, to: at + FURTHEST_ZONE + (time === undefined ? 24 * HOUR : 0) };
}

/** Undefined if the times leave it open. Without zones they are compared as written, for both are in the tenant's. */
export function isLater(one: Moment, other: Moment): boolean | undefined {
  if (one.from < one.to && other.from < other.to) return one.from > other.from;
  if (one.from > other.to) return true;
  return one.to <= other.from ? false : undefined;
}
