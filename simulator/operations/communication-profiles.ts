import type { Operation, Simulation } from '../front-door.js';
import { PROFILES } from '../notifications.js';

/** `GET /settings/communication-profiles`: a bare list (docs.zuora.com: get-all-communication-profiles). */
export function listCommunicationProfiles({ settings, tenant }: Simulation, { entityId }: Operation) {
  const used = tenant.billRuns(entityId).flatMap(({ documents = [] }) => documents);
  const isUsed = (kind: string) => used.some(({ communicationProfile }) => communicationProfile === kind);
  return Object.entries(PROFILES)
    .filter(([kind]) => kind === 'default' || isUsed(kind))
    .map(([kind, profile]) => ({
      ...profile,
      locale: 'default',
      description: '',
      isDefault: kind === 'default',
      muted: kind === 'default' && settings.current.profileMuted,
    }));
}
