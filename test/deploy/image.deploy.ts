/** The image of deploy/Dockerfile, built and run without a container: `npm run test:deploy`. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startChild, type Account } from '../../scripts/processes.js';
import { projectRoot } from '../../scripts/project-root.js';
import { environmentFor } from '../../scripts/temporal-server.js';
import { startWorker } from '../../scripts/worker-process.js';
import { openParts, type Parts } from '../support/parts.js';
import { emailsPerDocument, until, type Email } from '../support/rig.js';
import { buildImages, inside, type Image } from './image.js';

interface Packages {
  readonly packages: Readonly<Record<string, { readonly dev?: true }>>;
}

const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-image-'));
let image: Image;
let simulator: Image;
let parts: Parts;
beforeAll(async () => {
  const [images, opened] = await Promise.all([buildImages(folder), openParts()]);
  parts = opened;
  image = stageOf(images, '');
  simulator = stageOf(images, 'simulator');
  // Everybody may read the image, as in a container.
  chmodSync(folder, 0o755);
});
afterAll(async () => {
  await parts.close();
  rmSync(folder, { recursive: true });
});

function stageOf(images: ReadonlyMap<string, Image>, name: string): Image {
  return images.get(name) ?? expect.unreachable(`the Dockerfile has no stage ${name}`);
}

test('what is left out here is the installation of certificates, and nothing else', () => {
  expect(image.skipped).toEqual([expect.stringMatching(/^apt-get .* ca-certificates && rm /)]);
});

test('the image holds the product and its packages: no sources, tests, scripts, simulator or packages for development', () => {
  expect(readdirSync(inside(image, '.')).sort()).toEqual(['dist', 'node_modules', 'package.json']);
  const folders = readdirSync(inside(image, 'dist'));
  expect(folders).toEqual(expect.arrayContaining(['client', 'worker', 'workflow-bundle.js']));
  expect(folders.filter((name) => ['scripts', 'simulator', 'test'].includes(name))).toEqual([]);

  const { packages } = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8')) as Packages;
  const installed = JSON.parse(readFileSync(inside(image, 'node_modules/.package-lock.json'), 'utf8')) as Packages;
  expect(Object.keys(installed.packages)).toContain('node_modules/@temporalio/worker');
  expect(Object.keys(installed.packages).filter((path) => packages[path]?.dev !== undefined)).toEqual([]);
});

test("of the SDK's native binaries only the one for this platform is there", () => {
  const bridge = inside(image, 'node_modules/@temporalio/core-bridge');
  const { getPrebuiltTargetName } = createRequire(import.meta.url)(join(bridge, 'common.js')) as {
    readonly getPrebuiltTargetName: () => string;
  };
  expect(readdirSync(join(bridge, 'releases'))).toEqual([getPrebuiltTargetName()]);
});

test('its worker emails a bill run and drains on SIGTERM', async () => {
  const [command = '', ...args] = [...image.entrypoint, ...image.cmd];
  const worker = await startWorker({
    temporal: parts.temporal,
    simulatorUrl: parts.simulator.url,
    pollInterval: '100ms',
    command: {
      command,
      args,
      cwd: inside(image, '.'),
      env: image.env,
      account: accountOf(image),
    },
  });
  const { number } = await parts.control<{ number: string }>('POST', '/bill-runs', { status: 'Posted' });
  await parts.emails.start({ billRunKey: number });
  const status = await until(
    () => runFile('dist/client/cli/main.js', 'status', number, '--json'),
    ({ state }) => state === 'Delivering',
  );
  expect(status).toMatchObject({ billRunNumber: number });
  await parts.control('POST', '/clock', { advanceMs: 3_600_000 });
  const mailbox = await parts.control<Email[]>('GET', `/mailbox?billRun=${number}`);
  expect(emailsPerDocument(mailbox)).toEqual({ min: 1, max: 1 });
  expect(await worker.stop(60_000)).toEqual({ code: 0, signal: null });
});

test("the simulator's image, of deploy/compose.yaml, holds the simulator and its packages, and starts", async () => {
  expect(readdirSync(inside(simulator, 'dist'))).toEqual(['simulator']);
  const [command, ...args] = [...simulator.entrypoint, ...simulator.cmd, '--port', '0'];
  const child = await startChild({
    ...{ name: 'the simulator', command, args, cwd: inside(simulator, '.') },
    ...{ env: simulator.env, account: accountOf(simulator) },
  });
  const firstLine = new Promise<string>((resolve) => {
    child.onLine(resolve);
  });
  const line = await Promise.race([firstLine, child.ended]);
  expect(line).toMatch(/^Zuora simulator: http/);
  expect(await child.stop()).toEqual({ code: 0, signal: null });
});

/** Of an image that is root's, it can write nothing. Nobody but root can try that. */
function accountOf({ user }: Image): Account | undefined {
  const [uid, gid] = user.split(':').map(Number);
  if (uid === undefined || gid === undefined) expect.unreachable(`USER ${user} is not <number>:<number>`);
  return process.getuid?.() === 0 ? { uid, gid } : undefined;
}

/** As `docker run <image> <file> …` does. */
async function runFile(...args: string[]): Promise<{ readonly state?: string }> {
  const [command = '', ...options] = image.entrypoint;
  const { stdout } = await promisify(execFile)(command, [...options, ...args], {
    cwd: inside(image, '.'),
    env: { ...process.env, ...environmentFor(parts.temporal), ...image.env },
  });
  return JSON.parse(stdout) as { readonly state?: string };
}
