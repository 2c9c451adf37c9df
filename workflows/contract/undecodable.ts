/** Stands in for a payload that cannot be decoded. */
export interface Undecodable {
  /** Why, without the payload's content. */
  readonly undecodable: string;
}

/** The type of an activity's failure if its worker cannot decode the input: it made no call. */
export const PAYLOAD_UNDECODABLE = 'PayloadUndecodable';

const MARK = '__billRunEmailsUndecodable';

export function undecodableMark(why: string): Undecodable {
  return { [MARK]: true, undecodable: why } as unknown as Undecodable;
}

/** Callers can send the marker too, so its text must be checked. */
export function undecodable(value: unknown): value is Undecodable {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, MARK)) return false;
  return typeof (value as Partial<Undecodable>).undecodable === 'string';
}
