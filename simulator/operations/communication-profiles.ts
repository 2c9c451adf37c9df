import type { Simulation } from '../front-door.js';
import { PROFILES } from '../notifications.js';

/** `GET /settings/communication-profiles`: a bare list (docs.zuora.com: get-all-communication-profiles). */
export function listCommunicationProfiles({ settings }: Simulation) {
  return Object.entries(PROFILES).map(([kind, profile]) => ({
    ...profile,
    locale: 'default',
    description: '',
    isDefault: kind === 'default',
    muted: kind === 'default' && settings.current.profileMuted,
  }));
}
