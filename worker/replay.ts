#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { Client, type HistoryAndWorkflowId } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { Command, CommanderError } from 'commander';
import { connect } from '../client/temporal/connection.js';
import { workerDataConverter } from '../encryption/data-converter.js';
import { encryptionKeys } from '../encryption/keys.js';
import { BillRunEmailsError, EXIT, exitCodeOfFailure, failureIn } from '../client/failures/errors.js';
import { WORKFLOW_TYPE } from '../workflows/contract/contract.js';
import { createLogger } from '../environment/logger.js';
import { installTelemetry } from './telemetry.js';
import { shippedBundle, shortenStackTraces } from './worker.js';

const OPEN_RUNS = `WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'`;
/** For each question to Temporal. A history may have megabytes. */
const DEADLINE_MS = 60_000;

interface Flags {
  readonly query: string;
  readonly bundle?: string;
  readonly json?: true;
}

interface Unreplayed {
  readonly workflowId: string;
  readonly runId: string;
  readonly error: string;
}

const program = new Command('replay')
  .description('Replays the histories of live runs on this version of the workflow code; a gate before a deployment.')
  .option('--query <query>', "which runs, in Temporal's list filter", OPEN_RUNS)
  .option('--bundle <file>', 'the bundle of workflow code to replay on; default: the one that workers run')
  .option('--json', 'one JSON object on stdout: {query, replayed, failed: [{workflowId, runId, error}]}')
  .addHelpText(
    'after',
    `
Examples:
  npm run replay
  npm run replay -- --query "WorkflowType = '${WORKFLOW_TYPE}' AND StartTime > '2026-03-01T00:00:00Z'" --json

Exit codes: 0 all runs replay; 1 some do not, and would stand still on this version; 2 usage; 6 Temporal is not reached.
Temporal is found by the TEMPORAL_* environment variables; PAYLOAD_ENCRYPTION_KEYS has the keys that the workers have.`,
  )
  .exitOverride();

/** @returns the exit code */
async function main(): Promise<number> {
  const { query, json, ...flags } = program.parse().opts<Flags>();
  if (flags.bundle !== undefined && !existsSync(flags.bundle)) {
    throw new BillRunEmailsError('InvalidInput', `there is no bundle ${flags.bundle}`);
  }
  // What the SDK says of a run that does not replay is in the result as well.
  installTelemetry(createLogger('silent'));
  shortenStackTraces();
  const connected = await connect();
  const client = new Client(connected);
  // They are as they must be: the client has them as well.
  const encryption = encryptionKeys(process.env);
  const { bundle = shippedBundle(encryption) } = flags;
  const failed: Unreplayed[] = [];
  let replayed = 0;
  try {
    const options = {
      workflowBundle: { codePath: bundle },
      ...(encryption === undefined ? {} : { dataConverter: workerDataConverter(encryption) }),
    };
    for await (const { workflowId, runId, error } of Worker.runReplayHistories(options, liveHistories(client, query))) {
      replayed += 1;
      if (error === undefined) continue;
      failed.push({ workflowId, runId, error: error.message });
      if (json !== true) console.log(`${workflowId} (run ${runId}) does not replay: ${error.message}`);
    }
  } finally {
    await connected.connection.close();
  }
  console.log(
    json === true
      ? JSON.stringify({ query, replayed, failed })
      : `${replayed} replayed, ${failed.length} of them failed.${replayed === 0 ? ` No run matches ${query}` : ''}`,
  );
  return failed.length > 0 ? EXIT.unexpected : EXIT.done;
}

async function* liveHistories(client: Client, query: string): AsyncGenerator<HistoryAndWorkflowId> {
  const ask = async <T>(question: () => Promise<T>): Promise<T> => {
    try {
      return await client.withDeadline(Date.now() + DEADLINE_MS, question);
    } catch (error) {
      const said = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      throw new BillRunEmailsError('TemporalUnavailable', `Temporal does not give the histories: ${said}`, {
        cause: error,
      });
    }
  };
  const runs = client.workflow.list({ query })[Symbol.asyncIterator]();
  for (;;) {
    const next = await ask(() => runs.next());
    if (next.done === true) return;
    const { workflowId, runId } = next.value;
    yield { workflowId, history: await ask(() => client.workflow.getHandle(workflowId, runId).fetchHistory()) };
  }
}

function told(error: unknown): number {
  // Commander has said it.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.invalid;
  const failure = failureIn(error);
  console.error(failure.type === 'Unexpected' ? error : failure.message);
  return exitCodeOfFailure(failure);
}

const code = await main().catch(told);
// The SDK's runtime may keep the process alive, and nothing is left to wait for.
process.exit(code);
