import type { BillingDocument } from '../bill-run.js';
import type { Operation, Simulation } from '../front-door.js';
import type { Settings } from '../settings.js';
import { EVENTS } from './email-history.js';

/** Of the default communication profile, to which every account here belongs. */
const PROFILE_ID = '5e1f0000-0000-4000-8000-51a1a70b0002';

type When = keyof typeof EVENTS;
type DocumentType = BillingDocument['type'];

const WHEN: readonly When[] = ['requested', 'posted'];
const TYPES: readonly DocumentType[] = ['Invoice', 'CreditMemo'];

/** `GET /notifications/notification-definitions`: always one page. The settings say which of the four definitions are active. */
export function queryNotificationDefinitions({ settings }: Simulation, { request }: Operation) {
  const wanted = request.query.get('eventCategory');
  const data = WHEN.flatMap((when) =>
    TYPES.map((type) => ({ ...EVENTS[when][type], active: isActive(settings.current, when, type) })),
  )
    .filter(({ category }) => wanted === null || wanted === category)
    .map(({ category, notification, active }) => ({
      id: `5e1f0000-0000-4000-8000-51a1a70b${category}`,
      name: notification,
      eventTypeName: notification,
      eventCategory: Number(category),
      active,
      emailActive: true,
      emailTemplateId: `5e1f0000-0000-4000-8001-51a1a70b${category}`,
      calloutActive: false,
      communicationProfileId: PROFILE_ID,
      communicationProfileIds: [PROFILE_ID],
    }));
  return { data };
}

function isActive(settings: Settings, when: When, type: DocumentType): boolean {
  const { notificationActive, postedNotificationActive } = settings;
  if (when === 'posted') return postedNotificationActive;
  if (typeof notificationActive === 'boolean') return notificationActive;
  return type === { invoices: 'Invoice', creditMemos: 'CreditMemo' }[notificationActive];
}
