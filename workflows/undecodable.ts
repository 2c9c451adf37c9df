/** What the payload converter puts in the place of a payload that nobody can decode. */
export interface Undecodable {
  /** Why, without the payload's content. */
  readonly undecodable: string;
}

const MARK = '__billRunEmailsUndecodable';

export function undecodableMark(why: string): Undecodable {
  return { [MARK]: true, undecodable: why } as unknown as Undecodable;
}

export function undecodable(value: unknown): value is Undecodable {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, MARK);
}
