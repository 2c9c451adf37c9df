/** Zuora writes moments in two ways, both in the time zone of the tenant and both to the second. */

/** Object Query: `2022-04-25T19:08:32-07:00`. */
export function withOffset(moment: number, utcOffset: string): string {
  return `${local(moment, utcOffset).slice(0, 19)}${utcOffset}`;
}

/** /v1: `2022-01-19 11:28:34`, without a zone. */
export function withoutZone(moment: number, utcOffset: string): string {
  return local(moment, utcOffset).slice(0, 19).replace('T', ' ');
}

export function day(moment: number, utcOffset: string): string {
  return local(moment, utcOffset).slice(0, 10);
}

function local(moment: number, utcOffset: string): string {
  const [hours = 0, minutes = 0] = utcOffset.slice(1).split(':').map(Number);
  const sign = utcOffset.startsWith('-') ? -1 : 1;
  return new Date(moment + sign * (hours * 60 + minutes) * 60_000).toISOString();
}
