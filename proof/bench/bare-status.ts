/** The minimum for the output of `bill-run-emails status`: connect and query. */
import { Client, Connection } from '@temporalio/client';

const [workflowId = ''] = process.argv.slice(2);
const connection = await Connection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
const status: unknown = await new Client({ connection }).workflow.getHandle(workflowId).query('status');
console.log(JSON.stringify(status));
await connection.close();
