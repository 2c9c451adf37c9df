import { randomBytes } from 'node:crypto';
import type { SimulatorClock } from './clock.js';
import type { SettingsInForce } from './settings.js';

export interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Ten times the number a client should ever hold at once; the oldest give way. */
const TOKENS_KEPT = 10_000;

export class Tokens {
  readonly #clock: SimulatorClock;
  readonly #settings: SettingsInForce;
  readonly #diesAt = new Map<string, number>();

  constructor(clock: SimulatorClock, settings: SettingsInForce) {
    this.#clock = clock;
    this.#settings = settings;
  }

  issue(): { readonly token: string; readonly expiresInSeconds: number } {
    const { tokenLifetimeSeconds, tokensExpireEarlySeconds } = this.#settings.current;
    const token = randomBytes(16).toString('hex');
    this.#diesAt.set(token, this.#clock.now() + (tokenLifetimeSeconds - tokensExpireEarlySeconds) * 1000);
    const [oldest] = this.#diesAt.keys();
    if (this.#diesAt.size > TOKENS_KEPT && oldest !== undefined) this.#diesAt.delete(oldest);
    return { token, expiresInSeconds: tokenLifetimeSeconds };
  }

  accepts(authorization: string | undefined): boolean {
    const [, token = ''] = /^Bearer (\S+)$/i.exec(authorization ?? '') ?? [];
    return (this.#diesAt.get(token) ?? 0) > this.#clock.now();
  }

  revokeAll(): void {
    this.#diesAt.clear();
  }
}
