/** Why a job closed, by its last event alone: it needs no worker. */
import type { Client } from '@temporalio/client';
import { sentence } from '../../workflows/rules/status.js';
import { closingEvents } from '../temporal/jobs.js';
import { entriesOf } from './entries.js';
import type { Run } from './history.js';

/** One sentence, such as "Terminated: wrong template, by alice@pc." */
export async function whyClosed(client: Client, { workflowId, runId }: Run): Promise<string> {
  const events = await closingEvents(client, { workflowId, runId });
  const run = { workflowId, runId, events, neverBegun: [] };
  const last = (await entriesOf(run, [], client.options.loadedDataConverter)).at(-1);
  return sentence(`${last?.text ?? 'closed'}${last?.identity == null ? '' : `, by ${last.identity}`}`);
}
