import { Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { BillRunEmailsError } from './errors.js';

/** Connects as the `TEMPORAL_*` variables and the profiles of the SDK's envconfig say. */
export async function connect(): Promise<{ connection: Connection; namespace: string }> {
  const { connectionOptions, namespace = 'default' } = configuration();
  const address = connectionOptions.address ?? 'localhost:7233';
  try {
    return { connection: await Connection.connect({ connectTimeout: '5 seconds', ...connectionOptions }), namespace };
  } catch (error) {
    throw new BillRunEmailsError(
      'TemporalUnavailable',
      `Temporal cannot be reached at ${address}; is it there, and are the TEMPORAL_* variables right?`,
      { cause: error },
    );
  }
}

function configuration(): ReturnType<typeof loadClientConnectConfig> {
  try {
    return loadClientConnectConfig();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const message = `the TEMPORAL_* variables, or the profile that they name, cannot be followed: ${said}`;
    throw new BillRunEmailsError('InvalidConfiguration', message, { cause: error });
  }
}
