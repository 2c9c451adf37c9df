/**
 * Prints the size of the product beside the aims of the design. A change that passes an aim says why in its commit.
 *
 *     node scripts/size.mjs               this checkout, with the build in dist/
 *     node scripts/size.mjs lines 8152fbe only the product lines of a commit
 *     node scripts/size.mjs variables     the names of the environment variables
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** services/ and encryption/ were folders of the product once. */
const PRODUCT = /^(workflows|activities|zuora|client|worker|callouts|environment|services|encryption)\/.*\.c?ts$/;

const files = git('ls-files')
  .split('\n')
  .filter((file) => existsSync(join(root, file)));
const read = (file) => readFileSync(join(root, file), 'utf8');

const [command, revision] = process.argv.slice(2);
if (command === 'lines' && revision !== undefined) {
  const listed = git('ls-tree', '-r', '--name-only', revision).split('\n');
  console.log(linesOf(listed, (file) => git('show', `${revision}:${file}`)));
} else if (command === 'variables') {
  for (const name of [...variablesHere()].sort()) console.log(name);
} else {
  await printSizes();
}

async function printSizes() {
  const contract = await import('../dist/workflows/contract/contract.js');
  const { inputFields } = await import('../dist/workflows/contract/validation.js');
  const messages = Object.values(contract).filter(({ type }) => type === 'signal' || type === 'update');
  const sizes = [
    ['product lines', linesOf(files, read), 9_500],
    ['commands', commands().length, 13],
    ['states', contract.EMAIL_STATES.length, 11],
    ['messages', new Set(messages.map(({ name }) => name)).size, 6],
    ['input fields', inputFields().length, 14],
    ['environment variables', variablesHere().size, 22],
    ['pages of docs', files.filter((file) => /^docs\/[^/]+\.md$/.test(file)).length, 13],
  ];
  for (const [name, size, aim] of sizes) {
    const more = size > aim ? `  ${size - aim} over the aim` : '';
    console.log(`${name.padEnd(22)} ${format(size)}  of ${format(aim)}${more}`);
  }
}

function variablesHere() {
  return variablesIn(
    files.filter((file) => PRODUCT.test(file)),
    read,
  );
}

function linesOf(files, read) {
  return files.filter((file) => PRODUCT.test(file)).reduce((sum, file) => sum + read(file).split('\n').length - 1, 0);
}

/** As the command line itself lists them. */
function commands() {
  const cli = join(root, 'dist', 'client', 'cli', 'main.js');
  const help = execFileSync(process.execPath, [cli, '--help'], { encoding: 'utf8' });
  return [...help.matchAll(/^ {2}([a-z]+) {2}/gm)].map(([, name]) => name).filter((name) => name !== 'help');
}

/**
 * The variables that the schemas of the processes name: keys of `z.object`, arguments of `secretOf`, and variables taken from an
 * environment by name. Those of the SDK's envconfig (`TEMPORAL_ADDRESS`, …) and the `…_FILE` twins of secrets do not count.
 */
function variablesIn(files, read) {
  const variables = new Set();
  for (const file of files) {
    const visit = (node) => {
      for (const name of variablesAt(node)) if (/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/.test(name)) variables.add(name);
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true));
  }
  return variables;
}

function variablesAt(node) {
  if (ts.isCallExpression(node)) {
    const callee = node.expression.getText();
    if (callee.endsWith('z.object') || callee.endsWith('.object')) {
      return node.arguments.filter(ts.isObjectLiteralExpression).flatMap(({ properties }) => properties.map(nameOf));
    }
    if (/^(secretOf|optionalSecretOf)$/.test(callee))
      return node.arguments.filter(ts.isStringLiteral).map(({ text }) => text);
  }
  const taken = ts.isBindingElement(node) ? (node.propertyName ?? node.name) : undefined;
  const named =
    ts.isElementAccessExpression(node) && /env$/.test(node.expression.getText()) ? node.argumentExpression : taken;
  return named !== undefined && 'text' in named && !/^TEMPORAL_(?!UI_URL$)/.test(named.text) ? [named.text] : [];
}

function nameOf({ name }) {
  return name?.text ?? '';
}

function format(number) {
  return number.toLocaleString('en').padStart(6);
}

function git(...args) {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 });
}
