import { describe, expect, test } from 'vitest';
import { mayBeProduction, zuoraBaseUrl } from '../../zuora/host.js';

describe('where Zuora may be', () => {
  test.each([
    ['https://rest.zuora.com', 'https://rest.zuora.com/'],
    ['https://rest.zuora.com/', 'https://rest.zuora.com/'],
    ['https://rest.na.zuora.com', 'https://rest.na.zuora.com/'],
    ['https://rest.eu.zuora.com', 'https://rest.eu.zuora.com/'],
    ['https://rest.apisandbox.zuora.com', 'https://rest.apisandbox.zuora.com/'],
    ['https://rest.test.eu.zuora.com', 'https://rest.test.eu.zuora.com/'],
    ['https://zuora.com', 'https://zuora.com/'],
    ['HTTPS://REST.ZUORA.COM', 'https://rest.zuora.com/'],
    ['https://rest.zuora.com/gateway', 'https://rest.zuora.com/gateway/'],
    ['https://rest.zuora.com:8443/a/b/', 'https://rest.zuora.com:8443/a/b/'],
    ['http://localhost:9700', 'http://localhost:9700/'],
    ['http://127.0.0.1:9700', 'http://127.0.0.1:9700/'],
    ['http://127.1.2.3', 'http://127.1.2.3/'],
    ['http://127.1:80', 'http://127.0.0.1/'],
    ['http://[::1]:9700', 'http://[::1]:9700/'],
    ['https://localhost:9700', 'https://localhost:9700/'],
  ])('%s', (text, url) => {
    expect(zuoraBaseUrl(text).href).toBe(url);
  });

  test('at a host that an operator allows, with TLS', () => {
    expect(zuoraBaseUrl('https://zuora-proxy.example.com/z', ['zuora-proxy.example.com']).href).toBe(
      'https://zuora-proxy.example.com/z/',
    );
    expect(() => zuoraBaseUrl('http://zuora-proxy.example.com', ['zuora-proxy.example.com'])).toThrow('must be https');
  });

  test('an allowed host allows none of its neighbours', () => {
    for (const host of ['www.example.com', 'example.com.evil.test', 'notexample.com', 'example.co']) {
      expect(() => zuoraBaseUrl(`https://${host}`, ['example.com', ''])).toThrow('is not a host of Zuora');
    }
  });
});

describe('where Zuora is not', () => {
  test.each([
    ['', 'is not a URL'],
    ['rest.zuora.com', 'is not a URL'],
    ['https://', 'is not a URL'],
    ['https://rest.zuora.com:99999', 'is not a URL'],
    ['http://rest.zuora.com', 'must be https'],
    ['http://10.0.0.1', 'must be https'],
    ['http://0.0.0.0:9700', 'must be https'],
    ['http://[::]:9700', 'must be https'],
    ['http://128.0.0.1', 'must be https'],
    ['http://localhost.evil.test', 'must be https'],
    ['http://127.0.0.1.evil.test', 'must be https'],
    ['ftp://rest.zuora.com', 'must be https'],
    ['ws://localhost', 'must be https'],
    ['file:///etc/passwd', 'must be https'],
    ['data:text/plain,zuora', 'must be https'],
    ['javascript:0', 'must be https'],
    ['https://evil.test', 'is not a host of Zuora'],
    ['https://evilzuora.com', 'is not a host of Zuora'],
    ['https://zuora.com.evil.test', 'is not a host of Zuora'],
    ['https://rest-zuora.com', 'is not a host of Zuora'],
    ['https://zuora.evil.test/rest.zuora.com', 'is not a host of Zuora'],
    ['https://rest.zuora.co', 'is not a host of Zuora'],
    ['https://rest.zu\u043era.com', 'is not a host of Zuora'],
    ['https://rest.zuora.com?x=1', 'must not hold a query'],
    ['https://rest.zuora.com/#part', 'must not hold a query or a fragment'],
    ['https://user@rest.zuora.com', 'must not hold a user name'],
    ['https://user:s3cret@rest.zuora.com', 'must not hold a user name'],
    ['https://rest.zuora.com@evil.test', 'must not hold a user name'],
    ['https://rest.zuora.com\\@evil.test', ''],
  ])('%s', (text, why) => {
    if (why === '') expect(zuoraBaseUrl(text).hostname).toBe('rest.zuora.com');
    else expect(() => zuoraBaseUrl(text)).toThrow(why);
  });

  test.each(['https://user:s3cret@rest.zuora.com', 'https://user:s3cret@', 's3cret', 'http://:s3cret@evil.test'])(
    'a secret in it is not repeated',
    (text) => {
      expect(() => zuoraBaseUrl(text)).toThrow(/^(?!.*s3cret)/);
    },
  );
});

describe('customers may be behind', () => {
  test.each([
    ...[
      'https://rest.zuora.com',
      'https://rest.na.zuora.com',
      'https://rest.eu.zuora.com',
      'https://rest.ap.zuora.com',
    ],
    ...[
      'https://zuora.com',
      'https://rest.new.zuora.com',
      'https://sandbox.zuora.com',
      'https://rest.test.gateway.example',
    ],
  ])('%s', (url) => {
    expect(mayBeProduction(new URL(url))).toBe(true);
  });

  test.each([
    ...['https://rest.apisandbox.zuora.com', 'https://rest.sandbox.na.zuora.com', 'https://rest.sandbox.eu.zuora.com'],
    ...['https://rest.test.zuora.com', 'https://rest.test.eu.zuora.com', 'https://rest.test.ap.zuora.com'],
    ...['http://localhost:9700', 'http://127.0.0.1:9700', 'http://[::1]:9700'],
  ])('but not behind %s', (url) => {
    expect(mayBeProduction(new URL(url))).toBe(false);
  });
});
