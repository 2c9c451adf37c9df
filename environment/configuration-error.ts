/** The environment is incomplete or invalid; the message names every fault and shows no value of a secret. */
export class ConfigurationError extends Error {
  override readonly name: string = 'ConfigurationError';
  /** Among the types of `BillRunEmailsError`. */
  readonly type = 'InvalidConfiguration';
}
