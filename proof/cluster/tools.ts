/** The programs of a cluster: Temporal's server and schema tool, built from source with Go, and PostgreSQL. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { isExecutable, runToEnd, type Account } from '../../scripts/processes.js';
import { projectRoot } from '../../scripts/project-root.js';
import { ToolMissing } from '../command.js';

export interface ClusterTools {
  readonly server: string;
  readonly schemaTool: string;
  readonly initdb: string;
  readonly postgres: string;
  /** The account for PostgreSQL if we are root, because it refuses to run as root. */
  readonly account: Account | undefined;
}

/** The same minor version as the development server of `npm run setup`. */
export const SERVER_VERSION = 'v1.32.0';
const SERVER_MODULE = 'go.temporal.io/server';
/** Debian's folder with the programs of each version. */
const DEBIAN = '/usr/lib/postgresql';

/** @throws ToolMissing that says what to install */
export async function clusterTools(report: (text: string) => void): Promise<ClusterTools> {
  const initdb = postgresProgram('initdb');
  const postgres = postgresProgram('postgres');
  const account = process.getuid?.() === 0 ? unprivileged() : undefined;
  const folder = await temporalPrograms(report);
  return { server: join(folder, 'server'), schemaTool: join(folder, 'sql'), initdb, postgres, account };
}

function postgresProgram(name: string): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const found = onPath(name) ?? versions.map((version) => join(DEBIAN, version, 'bin', name)).find(isExecutable);
  if (found !== undefined) return found;
  throw new ToolMissing(
    `PostgreSQL is missing: there is no ${name} on PATH or in ${DEBIAN}/<version>/bin. Install version 12 or later; on Debian:\n` +
      '  apt-get install postgresql',
  );
}

function onPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function unprivileged(): Account {
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const wanted of ['postgres', 'nobody']) {
    const [, , uid, gid] = accounts.find(([name]) => name === wanted) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new ToolMissing(
    'PostgreSQL does not run as root, and there is no account postgres or nobody. Create one: useradd postgres',
  );
}

/** Builds them once per version, which takes minutes. */
async function temporalPrograms(report: (text: string) => void): Promise<string> {
  const folder = join(projectRoot, '.temporal', 'cluster', SERVER_VERSION);
  if (existsSync(folder)) return folder;
  if (onPath('go') === undefined) {
    throw new ToolMissing(
      "Go is missing; it is needed to build Temporal's server. Install version 1.26 or later (go.dev/doc/install), or an older one\n" +
        'that can download it (GOTOOLCHAIN=auto).',
    );
  }
  const packages = ['cmd/server', 'cmd/tools/sql'].map((path) => `${SERVER_MODULE}/${path}@${SERVER_VERSION}`);
  report(
    `Building Temporal's server: go install ${packages.join(' ')}. This happens once and takes 5 to 12 minutes on two cores`,
  );
  const unfinished = `${folder}.unfinished`;
  mkdirSync(unfinished, { recursive: true });
  try {
    await runToEnd({ name: 'go install', command: 'go', args: ['install', ...packages], env: { GOBIN: unfinished } });
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}
