import { request } from 'undici';

export type Control = <Answer>(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: object,
) => Promise<Answer>;

/** The control interface of a simulator. */
export function controlOf(simulatorUrl: string): Control {
  return async <Answer>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<Answer> => {
    const answer = await request(`${simulatorUrl}/simulator${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 400) throw new Error(`${method} /simulator${path}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  };
}
