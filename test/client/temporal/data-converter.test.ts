import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientDataConverter, payloadCodecs } from '../../../client/temporal/data-converter.js';
import { ConfigurationError } from '../../../environment/configuration-error.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-codecs-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function module(name: string, text: string): NodeJS.ProcessEnv {
  const path = join(folder, name);
  writeFileSync(path, text);
  return { BILL_RUN_DATA_CONVERTER: path };
}

const faultOf = (env: NodeJS.ProcessEnv): Promise<string> =>
  payloadCodecs(env).then(
    () => expect.unreachable('the module was loaded'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(ConfigurationError);
      return (error as Error).message;
    },
  );

describe('BILL_RUN_DATA_CONVERTER', () => {
  test('is optional', async () => {
    expect(await payloadCodecs({})).toEqual([]);
    expect(await payloadCodecs({ BILL_RUN_DATA_CONVERTER: '' })).toEqual([]);
  });

  test('names a list of codecs, which are used in their order', async () => {
    const codec = (mark: string) =>
      `{ async encode(all) { return all.map((one) => ({ ...one, data: [...one.data, '${mark}'] })); }, async decode() {} }`;
    const env = module('good.mjs', `export default [${codec('a')}, ${codec('b')}];`);
    let payloads = [{ data: [] }] as unknown as Payload[];
    for (const codec of await payloadCodecs(env)) payloads = await codec.encode(payloads);
    expect(payloads).toEqual([{ data: ['a', 'b'] }]);
  });

  test('is a path from the working directory', async () => {
    expect(await faultOf({ BILL_RUN_DATA_CONVERTER: './not-there.mjs' })).toMatch(
      /^BILL_RUN_DATA_CONVERTER \.\/not-there\.mjs cannot be loaded: .*not-there\.mjs/,
    );
  });

  test.each([
    ['throws', "throw new Error('the key is missing\\nhunter2');", /cannot be loaded: the key is missing$/],
    ['is not JavaScript', '{', /cannot be loaded: /],
    ['has no default export', 'export const codecs = [];', /the default export must be a list of payload codecs/],
    ['exports one codec', 'export default { encode() {}, decode() {} };', /must be a list/],
    ['exports a list of something else', 'export default [{ encode() {} }];', /must be a list/],
    ['exports null', 'export default [null];', /must be a list/],
  ])('with a module that %s is refused in one sentence', async (name, text, message) => {
    const fault = await faultOf(module(`${name}.mjs`, text));
    expect(fault).toMatch(message);
    expect(fault.split('\n')).toHaveLength(1);
  });

  test.each([
    ['rejects', "async decode() { throw new Error('no key\\nhunter2'); }"],
    ['throws at once', "decode() { throw new Error('no key'); }"],
  ])('with a codec that %s gives a clear error', async (name, decode) => {
    const env = module(`${name}.mjs`, `export default [{ async encode(all) { return all; }, ${decode} }];`);
    const [codec] = await payloadCodecs(env);
    await expect(codec?.decode([])).rejects.toMatchObject({
      ...{ name: 'PayloadUndecodable', type: 'InvalidConfiguration' },
      message: `a payload cannot be decoded by BILL_RUN_DATA_CONVERTER ${env['BILL_RUN_DATA_CONVERTER'] ?? ''}: no key`,
    });
  });
});

test('a client names the variable if a payload is still encoded', async () => {
  const { payloadConverter } = await clientDataConverter({});
  for (const value of [{ a: 1 }, 'text', null, undefined, new Uint8Array([1])]) {
    expect(payloadConverter.fromPayload(payloadConverter.toPayload(value))).toEqual(
      defaultPayloadConverter.fromPayload(defaultPayloadConverter.toPayload(value)),
    );
  }
  const encoded = { metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.from('hunter2') };
  expect(() => payloadConverter.fromPayload(encoded)).toThrow(
    'Temporal holds encoded payloads; BILL_RUN_DATA_CONVERTER must name the same module as for the workers',
  );
});
