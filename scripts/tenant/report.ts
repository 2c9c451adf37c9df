/** What the check of a tenant prints. */
import { forPeople } from '../../client/cli/command.js';
import { coloured, hanging } from '../../client/cli/terminal.js';
import type { Settings } from '../../simulator/settings.js';
import { facts, findingOf, onlyASendShows, type Fact, type Finding } from './facts.js';
import type { Tenant } from './tenant.js';

export interface Report {
  readonly billRunNumber: string;
  readonly origin: string;
  readonly billRunStatus: string;
  readonly checks: readonly (Omit<Fact, 'find'> & Finding)[];
  readonly onlyASendShows: typeof onlyASendShows;
  /** With these, the simulator does what the tenant did. */
  readonly settings: Partial<Settings>;
  readonly next: string;
}

export function reportOn(tenant: Tenant): Report {
  const { billRun, origin, entityId } = tenant;
  const checks = facts.map((fact) => {
    const { find, ...about } = fact;
    return { ...about, ...findingOf(fact, tenant) };
  });
  const missingPermissions = checks.flatMap(({ set }) => set?.missingPermissions ?? []);
  const entity = entityId === undefined ? '' : ` --entity ${entityId}`;
  const start = `start ${billRun.number}${entity} --hold --requested-by first-tenant`;
  return {
    ...{ billRunNumber: billRun.number, origin, billRunStatus: billRun.status, checks, onlyASendShows },
    settings: { ...checks.reduce<Partial<Settings>>((all, { set }) => ({ ...all, ...set }), {}), missingPermissions },
    next: `bill-run-emails ${billRun.invoicesEmailed === true ? `audit ${billRun.number}${entity}` : start}`,
  };
}

const COLOURS = { 'as assumed': 'green', differs: 'red', 'not seen': 'yellow' } as const;
/** Of the longest result, and two blanks. */
const INDENT = ' '.repeat(12);

export function inWords(report: Report): string {
  const { billRunNumber, billRunStatus, origin, checks, settings, next, ...rest } = forPeople(report);
  const count = (wanted: Finding['result']): number => checks.filter(({ result }) => result === wanted).length;
  return [
    `${billRunNumber} (${billRunStatus}) at ${origin}. Nothing was changed, and nothing was emailed.\n`,
    ...checks.map(checkInWords),
    '\nOnly a send shows:',
    ...rest.onlyASendShows.flatMap(({ question, settings: open, rules, look }) => [
      hanging('  ', `${question} Switch ${open.join(', ')}; ${rulesOf(rules)}`),
      hanging('    → ', look),
    ]),
    `\nAs assumed: ${count('as assumed')}. Differs: ${count('differs')}. Not seen: ${count('not seen')}.`,
    `The simulator does as this tenant with: ${JSON.stringify(settings)}`,
    `\nNext, if nothing above keeps you from it; in a checkout, npm run --silent cli -- stands for bill-run-emails:\n  ${next}`,
  ].join('\n');
}

function checkInWords({ result, name, question, text, setting, set, rules, todo }: Report['checks'][number]): string {
  const values = Object.entries(set ?? {}).map(([key, value]) => `${key}=${valueInWords(value)}`);
  const decided = setting === null ? 'No switch' : `Switch ${values[0] ?? `${setting} stays open`}`;
  return [
    `${coloured(COLOURS[result], result.padEnd(INDENT.length))}${hanging('', `${name}: ${question}`)}`,
    hanging(INDENT, `${text.replace(/\.$/, '')}. ${decided}; ${rulesOf(rules)}`),
    ...(todo === undefined ? [] : [hanging(`${INDENT}→ `, todo)]),
  ].join('\n');
}

function rulesOf(rules: readonly number[]): string {
  return `rule${rules.length === 1 ? '' : 's'} ${rules.join(', ')}`;
}

function valueInWords(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}
