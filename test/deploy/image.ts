/**
 * Builds what deploy/Dockerfile describes without Docker: each stage's file system is a folder, and its own instructions are
 * carried out in it, word for word. What only a container has is not there: the base image, its Node, and packages of Debian.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { Copy, DockerfileParser, Env, From, type Instruction } from 'dockerfile-ast';
import { bareEnvironment, runToEnd } from '../../scripts/processes.js';
import { projectRoot } from '../../scripts/project-root.js';

export interface Image {
  /** Stands for `/`. */
  readonly root: string;
  readonly workdir: string;
  /** The whole command: entry point and arguments. */
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
  /** RUN instructions that were left out. */
  readonly skipped: readonly string[];
}

type Stage = { -readonly [Key in keyof Image]: Image[Key] };

const FOLDER = join(projectRoot, 'deploy');
/** The system is the base image's. */
const OF_THE_SYSTEM = 'apt-get ';

export function instructions(): readonly Instruction[] {
  return DockerfileParser.parse(readFileSync(join(FOLDER, 'Dockerfile'), 'utf8')).getInstructions();
}

/**
 * @param folder an empty one
 * @returns the stages by name; the last one, which has none, is the product
 */
export async function buildImages(folder: string): Promise<ReadonlyMap<string, Image>> {
  const ignored = readFileSync(join(FOLDER, 'Dockerfile.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const instruction of instructions()) {
    const keyword = instruction.getKeyword();
    // Before the first stage it names the base image.
    if (keyword === 'ARG' && stage === undefined) continue;
    if (instruction instanceof From) {
      const root = join(folder, String(stages.size));
      mkdirSync(root);
      stage = { root, workdir: '/', entrypoint: [], cmd: [], user: 'root', env: {}, skipped: [] };
      stages.set(instruction.getBuildStage() ?? '', stage);
      continue;
    }
    if (stage === undefined) throw new Error(`${keyword} stands before the first stage`);
    await carryOut(instruction, stage, stages, ignored);
  }
  return stages;
}

async function carryOut(
  instruction: Instruction,
  stage: Stage,
  stages: ReadonlyMap<string, Stage>,
  ignored: readonly string[],
): Promise<void> {
  const content = instruction.getArgumentsContent() ?? '';
  if (instruction instanceof Copy) {
    copy(instruction, stage, stages, ignored);
    return;
  }
  if (instruction instanceof Env) {
    for (const property of instruction.getProperties()) {
      stage.env = { ...stage.env, [property.getName()]: property.getUnescapedValue() ?? '' };
    }
    return;
  }
  switch (instruction.getKeyword()) {
    case 'WORKDIR':
      stage.workdir = content;
      mkdirSync(inside(stage, '.'), { recursive: true });
      return;
    case 'RUN':
      if (content.startsWith(OF_THE_SYSTEM)) stage.skipped = [...stage.skipped, content];
      else await run(content, stage);
      return;
    case 'USER':
      stage.user = content;
      return;
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(content) as string[];
      return;
    case 'CMD':
      stage.cmd = JSON.parse(content) as string[];
      return;
    default:
      throw new Error(`this does not know how to carry out ${instruction.toString()}`);
  }
}

function copy(instruction: Copy, stage: Stage, stages: ReadonlyMap<string, Stage>, ignored: readonly string[]): void {
  const from = instruction.getFromFlag()?.getValue();
  const source = from == null ? undefined : stages.get(from);
  if (from != null && source === undefined) throw new Error(`there is no stage ${from}`);
  const paths = instruction.getArguments().map((argument) => argument.getValue());
  const target = paths.pop() ?? '';
  for (const path of paths) {
    const found = source === undefined ? join(projectRoot, path) : inside(source, path);
    // A folder gives what is in it; a file goes into a folder where the target ends in a slash.
    const place = statSync(found).isFile() && target.endsWith('/') ? join(target, path) : target;
    cpSync(found, inside(stage, place), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (file) => source !== undefined || !isIgnored(file, ignored),
    });
  }
}

function isIgnored(file: string, ignored: readonly string[]): boolean {
  return ignored.some((path) => {
    if (/[*?![\]]/.test(path)) throw new Error(`${path} in the ignore file is a pattern`);
    return file === join(projectRoot, path) || file.startsWith(join(projectRoot, path) + sep);
  });
}

/** As Docker does: by /bin/sh, with the stage's environment and none of ours. */
async function run(command: string, stage: Stage): Promise<void> {
  await runToEnd({
    name: `RUN ${command}`,
    command: '/bin/sh',
    args: ['-c', command],
    cwd: inside(stage, '.'),
    env: { ...bareEnvironment(), ...stage.env },
  });
}

/** A path of the stage, as this machine sees it. */
export function inside({ root, workdir }: Pick<Image, 'root' | 'workdir'>, path: string): string {
  const found = join(root, path.startsWith('/') ? path : join(workdir, path));
  if (!existsSync(root) || !found.startsWith(root)) throw new Error(`${path} is not in the image`);
  return found;
}
