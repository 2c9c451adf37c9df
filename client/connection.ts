import { Connection } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { clientDataConverter } from '../encryption/data-converter.js';
import { BillRunEmailsError } from './errors.js';

/** What Temporal's `Client` is made of. */
export interface Connected {
  readonly connection: Connection;
  readonly namespace: string;
  readonly dataConverter: LoadedDataConverter;
}

/** Connects as the `TEMPORAL_*` variables and the profiles of the SDK's envconfig say, with the keys of payload encryption. */
export async function connect(): Promise<Connected> {
  const { connectionOptions, namespace = 'default' } = configuration();
  const dataConverter = await clientDataConverter(process.env).catch((error: unknown) => {
    const said = error instanceof Error ? error.message : String(error);
    throw new BillRunEmailsError('InvalidConfiguration', said, { cause: error });
  });
  const address = connectionOptions.address ?? 'localhost:7233';
  try {
    const connection = await Connection.connect({ connectTimeout: '5 seconds', ...connectionOptions });
    return { connection, namespace, dataConverter };
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
