/** Stands in for a payload that cannot be decoded. */
export interface Undecodable {
  /** Why, without the payload's content. */
  readonly undecodable: string;
}

const MARK = '__billRunEmailsUndecodable';

export function undecodableMark(why: string): Undecodable {
  return { [MARK]: true, undecodable: why } as unknown as Undecodable;
}

/** Callers can send the marker too, so its text must be checked. */
export function undecodable(value: unknown): value is Undecodable {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, MARK)) return false;
  return typeof (value as Partial<Undecodable>).undecodable === 'string';
}
