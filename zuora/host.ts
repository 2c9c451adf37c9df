/** Needs no TLS: the simulator, or a proxy beside the worker. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * Checks Zuora's address: https to one of Zuora's own hosts or to an allowed one, or http or https to loopback.
 *
 * @param allowedHosts host names beyond Zuora's own, in lower case
 * @returns the base URL, with a path that ends in `/`
 * @throws Error that says what is wrong
 */
export function zuoraBaseUrl(text: string, allowedHosts: readonly string[] = []): URL {
  if (!URL.canParse(text)) throw new Error('is not a URL such as https://rest.zuora.com');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') throw new Error('must not hold a user name or password');
  if (url.search !== '' || url.hash !== '') throw new Error('must not hold a query or a fragment');
  const loopback = LOOPBACK.test(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback)) {
    throw new Error(`must be https (http is for loopback only), not ${url.protocol}//${url.hostname}`);
  }
  const zuora = url.hostname === 'zuora.com' || url.hostname.endsWith('.zuora.com');
  if (!zuora && !loopback && !allowedHosts.includes(url.hostname)) {
    throw new Error(`${url.hostname} is not a host of Zuora; allow it by ZUORA_ALLOWED_HOSTS if it is yours`);
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** Zuora's data centers: https://developer.zuora.com/v1-api-reference/introduction. */
const PRODUCTION = /^rest\.((na|eu|ap)\.)?zuora\.com$/;
const SANDBOX = /^rest\.(apisandbox|sandbox\.(na|eu)|test(\.(eu|ap))?)\.zuora\.com$/;

/** What customers a send would reach, in words. */
export function kindOfHost({ hostname }: URL): string {
  if (PRODUCTION.test(hostname)) return 'production';
  return SANDBOX.test(hostname) ? 'a sandbox' : 'not a known host of Zuora';
}

/** Whether a send may reach customers: only Zuora's sandboxes and this machine are known not to. A gateway may lead anywhere. */
export function mayBeProduction({ hostname }: URL): boolean {
  return !SANDBOX.test(hostname) && !LOOPBACK.test(hostname);
}
