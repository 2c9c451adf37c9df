import type { Simulation } from '../front-door.js';
import { Refusal } from '../refusal.js';
import type { Settings } from '../settings.js';

export type Permission = Settings['missingPermissions'][number];

/** Category 10 is "permission denied". Zuora's words for it are not documented. */
export function demand(permission: Permission, { settings }: Simulation): void {
  if (settings.current.missingPermissions.includes(permission)) {
    throw new Refusal(10, 'You do not have the permission for this operation.');
  }
}
