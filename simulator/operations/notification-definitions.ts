import type { BillingDocument } from '../bill-run.js';
import type { Operation, Simulation } from '../front-door.js';
import { EVENTS, isActive, PROFILES, type When } from '../notifications.js';

const WHEN: readonly When[] = ['requested', 'posted'];
const TYPES: readonly BillingDocument['type'][] = ['Invoice', 'CreditMemo'];

/** `GET /notifications/notification-definitions`: always one page. The settings say which of the four definitions are active. */
export function queryNotificationDefinitions({ settings }: Simulation, { request }: Operation) {
  const [wanted, profile] = ['eventCategory', 'profileId'].map((name) => request.query.get(name));
  const data = WHEN.flatMap((when) =>
    TYPES.map((type) => ({ ...EVENTS[when][type], active: isActive(settings.current, when, type) })),
  )
    .filter(({ category }) => !wanted || wanted === category)
    .filter(() => !profile || profile === PROFILES.default.id)
    .map(({ category, notification, active }) => ({
      id: `5e1f0000-0000-4000-8000-51a1a70b${category}`,
      name: notification,
      eventTypeName: notification,
      eventCategory: Number(category),
      active,
      emailActive: true,
      emailTemplateId: `5e1f0000-0000-4000-8001-51a1a70b${category}`,
      calloutActive: false,
      communicationProfileId: PROFILES.default.id,
      communicationProfileIds: [PROFILES.default.id],
    }));
  return { data };
}
