/** Who we are to Temporal, as the audit shows it. */
import { hostname, userInfo } from 'node:os';

/** The identity of clients that connect by the environment. */
export function identityOf(user: string | undefined, host = hostname()): string {
  return user === undefined ? `bill-run-emails@${host}` : `bill-run-emails:${user}@${host}`;
}

/** The user of this machine; undefined in a container whose user has no name. */
export function userHere(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
