// Ask for a user name and a password.
//
// Event: viewer-request, so that the check comes before the cache. Lambda@Edge functions have no
// environment variables of their own; in earnest, read the secret from a store at start instead.

import { createHash, timingSafeEqual } from 'node:crypto';

const USER = 'demo';
const PASSWORD = 'demo';

const digest = (text) => createHash('sha256').update(text).digest();
const EXPECTED = digest(`Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`);

export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  const given = request.headers.authorization?.[0].value ?? '';
  if (timingSafeEqual(digest(given), EXPECTED)) return request;
  return {
    status: '401',
    statusDescription: 'Unauthorized',
    headers: {
      'www-authenticate': [{ key: 'WWW-Authenticate', value: 'Basic realm="preview"' }],
      'content-type': [{ key: 'Content-Type', value: 'text/plain' }],
    },
    body: 'Please sign in.',
  };
};
