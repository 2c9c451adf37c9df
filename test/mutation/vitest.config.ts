import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Tests of the pure modules that need neither a server nor a build. Those that find most in the least time come first. */
const files = [
  'test/workflows/rules/rules.test.ts',
  'test/workflows/life.test.ts',
  'test/workflows/rules/send.test.ts',
  'test/workflows/rules/next-step.test.ts',
  'test/workflows/rules/documents.test.ts',
  'test/workflows/rules/reads.test.ts',
  'test/workflows/rules/notices.test.ts',
  'test/workflows/rules/texts.test.ts',
  'test/workflows/rules/one-sender-rules.test.ts',
  'test/zuora/outcome.test.ts',
  'test/zuora/document-outcome.test.ts',
  'test/client/cli/audit-formats.test.ts',
  'test/workflows/contract/activity-failures.test.ts',
  'test/workflows/rules/keys.test.ts',
  'test/client/history/audit-of-histories.test.ts',
];

class InThisOrder extends BaseSequencer {
  override sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => files.findIndex((file) => moduleId.endsWith(file));
    return Promise.resolve(specifications.toSorted((one, other) => place(one) - place(other)));
  }
}

/** For Stryker, which runs these tests once for each mutant. */
export default defineConfig({
  test: {
    include: files,
    sequence: { sequencer: InThisOrder },
    // Loading takes most of the time, so modules are loaded once for all files.
    isolate: false,
    env: { SEED: '1' },
    // Stryker has a limit of its own.
    testTimeout: 120_000,
  },
});
