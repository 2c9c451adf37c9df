/** Compares a Zuora tenant with what the rules assume, before anything is sent there. It only reads. */
import { Command } from 'commander';
import { jsonLine, mistake, printError } from '../../client/cli/command.js';
import { EXIT, failureIn, valid } from '../../client/failures/errors.js';
import { failureInWords } from '../../client/failures/plain-text.js';
import { zuoraTroubleIn } from '../../client/failures/zuora.js';
import { checkInput } from '../../workflows/contract/validation.js';
import { createZuora } from '../../zuora/client.js';
import { zuoraConfiguration } from '../../zuora/configuration.js';
import { kindOfHost, mayBeProduction } from '../../zuora/host.js';
import { inWords, reportOn, type Report } from './report.js';
import { readTenant } from './tenant.js';

interface Options {
  readonly allowProduction?: true;
  readonly entity?: string;
  readonly json?: true;
}

const ABOUT = `
It finds Zuora by the ZUORA_* variables of the worker. It only reads, and never
emails. docs/first-tenant.md says what each line means.

Exit codes: 0; 1 if something differs, or Zuora cannot be read; 2 for bad input.`;

const command = new Command('tenant-check')
  .description('Compares a Zuora sandbox with what the rules of sending assume.')
  .argument('<bill-run>', 'number or ID of a bill run of your test account that is completed or posted')
  .option('--allow-production', 'also if customers may be behind the host')
  .option('--entity <id>', 'Zuora Multi-entity only: the entity of the bill run')
  .option('--json', 'one JSON object on stdout')
  .addHelpText('after', ABOUT)
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT.invalid))
  .parse();

try {
  const options = command.opts<Options>();
  const report = await check(command.args[0] ?? '', options);
  console.log(options.json === true ? jsonLine(report) : inWords(report));
  process.exitCode = report.checks.some(({ result }) => result === 'differs') ? EXIT.unexpected : EXIT.done;
} catch (error) {
  const trouble = zuoraTroubleIn(error);
  printError(trouble === undefined ? failureInWords(error) : `${trouble.text}. ${trouble.todo}.`);
  const isInput = trouble?.kind === 'notFound' || failureIn(error).type.startsWith('Invalid');
  process.exitCode = isInput ? EXIT.invalid : EXIT.unexpected;
}

async function check(key: string, { allowProduction, entity }: Options): Promise<Report> {
  const { billRunKey, entityId } = valid(checkInput({ billRunKey: key, entityId: entity }));
  const { zuora: settings, multiEntity } = zuoraConfiguration(process.env);
  const { baseUrl } = settings;
  if (mayBeProduction(baseUrl) && allowProduction !== true) {
    const what = `${baseUrl.hostname} is ${kindOfHost(baseUrl)}, so a send may reach customers`;
    throw mistake(`${what}; use a sandbox, or --allow-production, which only reads`);
  }
  if (multiEntity !== (entityId !== undefined)) {
    throw mistake('--entity belongs to ZUORA_MULTI_ENTITY=true: give both, or neither');
  }
  const zuora = createZuora(settings);
  try {
    const tenant = await readTenant(zuora, { key: billRunKey, origin: baseUrl.origin, entityId, now: Date.now() });
    const { number, status } = tenant.billRun;
    if (status === 'Completed' || status === 'Posted') return reportOn(tenant);
    throw mistake(`${number} is ${status}; name a bill run that is Posted, or at least Completed`);
  } finally {
    await zuora.close();
  }
}
