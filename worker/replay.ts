#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { Client, isGrpcServiceError } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { Command, CommanderError, Option } from 'commander';
import { connect } from '../client/temporal/connection.js';
import { BillRunEmailsError, EXIT, exitCodeOfFailure, failureIn } from '../client/failures/errors.js';
import { causeOf, reasonOf } from '../client/failures/temporal.js';
import { WORKFLOW_TYPE } from '../workflows/contract/contract.js';
import { createLogger } from '../environment/logger.js';
import { installTelemetry } from './telemetry.js';
import { SHIPPED_BUNDLE } from './worker.js';

const OPEN_JOBS = `WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'`;
/** For all calls to Temporal together. Without a limit, a Temporal that says nothing would hold up the deployment forever. */
const LIMIT_MS = 3_600_000;

interface Flags {
  readonly query: string;
  readonly bundle: string;
  readonly json?: true;
}

interface FailedReplay {
  readonly workflowId: string;
  readonly runId: string;
  readonly error: string;
}

const program = new Command('replay')
  .description('Replays the histories of jobs on this version of the workflow code; a gate before a deployment.')
  .option('--query <query>', "which jobs, in Temporal's list filter", OPEN_JOBS)
  .addOption(
    new Option('--bundle <file>', 'the bundle of workflow code').default(SHIPPED_BUNDLE, 'that of the workers'),
  )
  .option('--json', 'one JSON object on stdout: {query, replayed, failed: [{workflowId, runId, error}]}')
  .addHelpText(
    'after',
    `
Examples:
  npm run replay
  npm run replay -- --query "WorkflowType = '${WORKFLOW_TYPE}' AND StartTime > '2026-03-01T00:00:00Z'" --json

Exit codes: 0 all jobs replay; 1 some do not, and would stand still on this version; 2 usage; 6 Temporal is not reached.
It uses the TEMPORAL_* environment variables, and BILL_RUN_DATA_CONVERTER as the workers do.`,
  )
  .exitOverride();

/** @returns the exit code */
async function main(): Promise<number> {
  const { query, json, bundle } = program.parse().opts<Flags>();
  if (!existsSync(bundle)) throw new BillRunEmailsError('InvalidInput', `there is no bundle ${bundle}`);
  // The result has what the SDK would log about a failed replay.
  installTelemetry(createLogger('silent'));
  const connected = await connect();
  const client = new Client(connected);
  const failed: FailedReplay[] = [];
  let replayed = 0;
  try {
    const { payloadCodecs } = connected.dataConverter;
    const options = { workflowBundle: { codePath: bundle }, dataConverter: { payloadCodecs } };
    const histories = client.workflow.list({ query }).intoHistories();
    await client.withDeadline(Date.now() + LIMIT_MS, async () => {
      for await (const { workflowId, runId, error } of Worker.runReplayHistories(options, histories)) {
        replayed += 1;
        if (error === undefined) continue;
        failed.push({ workflowId, runId, error: error.message });
        if (json !== true) console.log(`${workflowId} (run ${runId}) does not replay: ${error.message}`);
      }
    });
  } catch (error) {
    if (!isGrpcServiceError(causeOf(error))) throw error;
    const message = `Temporal does not return the histories: ${reasonOf(error)}`;
    throw new BillRunEmailsError('TemporalUnavailable', message, { cause: error });
  } finally {
    await connected.connection.close();
  }
  console.log(
    json === true
      ? JSON.stringify({ query, replayed, failed })
      : `${replayed} replayed, ${failed.length} of them failed.${replayed === 0 ? ` No job matches ${query}` : ''}`,
  );
  return failed.length > 0 ? EXIT.unexpected : EXIT.done;
}

function report(error: unknown): number {
  // Commander has printed its own errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.invalid;
  const failure = failureIn(error);
  console.error(failure.type === 'Unexpected' ? error : failure.message);
  return exitCodeOfFailure(failure);
}

const code = await main().catch(report);
// The SDK's runtime would keep the process alive.
process.exit(code);
