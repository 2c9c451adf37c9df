import { Refusal } from '../refusal.js';
import type { Credentials, Tokens } from '../tokens.js';
import { decodedBody, header, type ApiRequest } from '../wire.js';

/** `POST /oauth/token`, form-encoded (developer.zuora.com: v1-api-reference/api/oauth/createtoken). */
export function createToken(tokens: Tokens, credentials: Credentials, request: ApiRequest) {
  const contentType = header(request, 'content-type') ?? '';
  if (!/^application\/x-www-form-urlencoded\b/i.test(contentType)) {
    throw new Refusal(45, `Content-Type '${contentType}' is not supported: send application/x-www-form-urlencoded.`);
  }
  const form = new URLSearchParams(decodedBody(request).toString('utf8'));
  if (form.get('grant_type') !== 'client_credentials') {
    throw new Refusal(20, 'grant_type must be client_credentials.');
  }
  const known =
    form.get('client_id') === credentials.clientId && form.get('client_secret') === credentials.clientSecret;
  // What Zuora answers to bad credentials is not documented; this is what the operation's page shows for a 401.
  if (!known) throw new Refusal(20, 'Authentication error', 401);

  const { token, expiresInSeconds } = tokens.issue();
  return {
    access_token: token,
    token_type: 'bearer',
    expires_in: expiresInSeconds,
    scope: 'entity.simulator service.usage.delete service.usage.update service.usage.write user.simulator',
    jti: token,
  };
}
