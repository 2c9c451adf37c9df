import { Option, type Command } from 'commander';
import type { DocumentOutcome } from '../../workflows/contract/contract.js';
import { EXIT } from '../failures/errors.js';
import { escaped } from '../failures/plain-text.js';
import { answer, examples, GROUP, onBillRun, ZUORA_IS_FOUND, type CommonOptions } from './command.js';

interface DocumentsOptions extends CommonOptions {
  readonly org?: string[];
  readonly coolDown?: string;
  readonly only?: DocumentOutcome;
  readonly format: 'table' | 'csv';
  readonly recipients?: true;
}

const OUTCOMES = ['sent', 'waiting', 'notSent', 'leftOut', 'unknown'] satisfies readonly DocumentOutcome[];

export function addDocuments(program: Command): void {
  onBillRun(program, 'documents', 'what became of each document, and what a send would email')
    .helpGroup(GROUP.look)
    .addOption(new Option('--org <id...>', 'Zuora Multi-Org only: the orgs'))
    .option('--cool-down <duration>', "how long after Zuora's last emails a first send waits (24 hours)")
    .addOption(new Option('--only <outcome>', 'list only documents with this outcome').choices(OUTCOMES))
    .option('--recipients', 'show to whom Zuora addresses each document; the addresses go nowhere else')
    .addOption(new Option('--format <format>', 'how to print it').choices(['table', 'csv']).default('table'))
    .addHelpText(
      'after',
      `${examples(
        'documents BR-00000001',
        'documents BR-00000001 --only notSent --json',
        'documents BR-00000001 --recipients --format csv > emails.csv',
      )}

It changes nothing. Before the first send it says which documents would go
nowhere, and why. After a send, each document has an outcome:
  sent      Zuora shows an email; only the recipient's server knows more
  waiting   not yet: its PDF is missing, or it is too early to say
  notSent   Zuora shows a cause, or showed no email for 24 hours
  leftOut   a setting leaves it out on purpose
  unknown   Zuora does not let us see it
It reads Zuora, and the sends of the jobs from Temporal. Without Temporal it
shows all else, and warns.

Exit codes: 0; 4 if a document is notSent, also one that --only leaves out.

${ZUORA_IS_FOUND}`,
    )
    .action(async (key: string, { json, entity, org, coolDown, only, format, recipients }: DocumentsOptions) => {
      const [{ documents }, { documentsTable, documentsCsv }] = await Promise.all([
        import('../documents.js'),
        import('./documents-formats.js'),
      ]);
      const ask = async () => {
        const found = await documents({ billRunKey: key, entityId: entity, orgIds: org, coolDown, recipients });
        if (format === 'csv' && json !== true)
          for (const each of found.warnings) console.error(`Warning: ${escaped(each)}`);
        const wanted = found.documents.filter(({ outcome }) => only === undefined || outcome === only);
        return { ...found, documents: wanted };
      };
      await answer({ billRunKey: key, json }, ask, {
        inWords: (found) => (format === 'csv' ? documentsCsv(found, recipients === true) : documentsTable(found)),
        exitCode: ({ outcomes }) => (outcomes.notSent > 0 ? EXIT.needsPerson : EXIT.done),
      });
    });
}
